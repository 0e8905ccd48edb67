"""Reads a YAML settings file into a pydantic model, with errors that a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from tenant_experience.errors import UserError

Key = tuple[str, ...]
_DEEPEST = 30


class Settings(BaseModel):
    """The parent of every settings model: unknown keys are refused, and values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


AnySettings = TypeVar("AnySettings", bound=Settings)


def load_settings(path: Path, model: type[AnySettings], *, code: str) -> AnySettings:
    """Reads ``path`` as ``model``.

    Raises:
        UserError: ``code``; the file is missing or is not YAML, or a key is unknown, missing, repeated or has a wrong
            value. The message names the file, the line, the key and what is allowed there.
    """
    if not path.is_file():
        raise UserError(f"{path.parent.name}/{path.name} does not exist", code=code)
    try:
        text = path.read_text(encoding="utf-8")
        _check_shape(text)
        document, lines = yaml.safe_load(text), _lines(yaml.compose(text, Loader=yaml.SafeLoader))
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path.name} is not valid YAML: {error}", code=code) from error
    if not isinstance(document, dict):
        raise UserError(f"{path.name} must be a mapping of keys to values", code=code)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        complaints = "; ".join(
            f"line {_line(lines, detail['loc'])}: {_complaint(detail, model)}" for detail in error.errors()
        )
        raise UserError(f"{path.name}: {complaints}", code=code) from error


def line_of(path: Path, *key: int | str) -> int:
    """The line of ``key`` in the valid YAML file ``path``; when it is absent, the line of the key around it."""
    return _line(_lines(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)), key)


def _check_shape(text: str) -> None:
    """Refuses small but expensive YAML: aliases of aliases fill the memory, and deep nesting takes hours to read.

    Raises:
        YAMLError: the YAML has aliases, or is nested more deeply than any settings.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"line {line}: aliases are not allowed; write the value instead of *{event.anchor}")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError(f"line {line}: more than {_DEEPEST} levels of nesting")


def _lines(node: yaml.Node | None, key: Key = ()) -> dict[Key, int]:
    """Key, as pydantic names it -> its line, counted from 1.

    Raises:
        ValueError: a key is repeated.
    """
    lines: dict[Key, int] = {}
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            inner = (*key, _as_read(name))
            if inner in lines:
                raise ValueError(f"line {name.start_mark.line + 1}: key {name.value!r} is repeated")
            lines |= {inner: name.start_mark.line + 1} | _lines(value, inner)
    if isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            inner = (*key, str(place))
            lines |= {inner: item.start_mark.line + 1} | _lines(item, inner)
    return lines


def _as_read(name: yaml.Node) -> str:
    """The key as pydantic names it: a bare yes, no, on or off is a truth value, which it writes 1 or 0."""
    if name.tag == "tag:yaml.org,2002:bool":
        return str(int(str(name.value).lower() in ("yes", "on", "true")))
    return str(name.value)


def _line(lines: dict[Key, int], key: Sequence[int | str]) -> int:
    """The line of the key or, when that is missing, of the innermost key around it."""
    parts = tuple(map(str, key))
    return next((lines[parts[:end]] for end in range(len(parts), 0, -1) if parts[:end] in lines), 1)


def _complaint(detail: ErrorDetails, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in detail["loc"]) or "(file)"
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key!r}; allowed here: {', '.join(_allowed_keys(model, detail['loc'])) or 'none'}"
    if detail["type"] == "missing":
        return f"key {key!r} is missing"
    found = "" if isinstance(detail["input"], dict) else f" (it is {detail['input']!r})"
    return f"key {key!r}: {detail['msg'].removeprefix('Value error, ')}{found}{_quoting_hint(detail)}"


def _quoting_hint(detail: ErrorDetails) -> str:
    """What to do where YAML read something else than the text that was written."""
    value = detail["input"]
    if detail["type"] != "string_type" or not isinstance(value, bool | int | float | date):
        return ""
    if isinstance(value, bool):
        words = "yes, on or true" if value else "no, off or false"
        return (
            f". YAML reads {words} without quotes as {value}: write it in quotes, such as '{'yes' if value else 'no'}'"
        )
    return f". YAML reads a bare number or date as such: write it in quotes, '{value}'"


def _allowed_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the nested model in which the last part of ``location`` was found; empty when that is not clear."""
    current: type[BaseModel] = model
    for part in location[:-1]:
        by_key = {field.alias or name: field.annotation for name, field in current.model_fields.items()}
        candidates = [by_key.get(str(part)), *getattr(by_key.get(str(part)), "__args__", ())]
        nested = [item for item in candidates if isinstance(item, type) and issubclass(item, BaseModel)]
        current = nested[-1] if nested else current
    return [field.alias or name for name, field in current.model_fields.items()]
