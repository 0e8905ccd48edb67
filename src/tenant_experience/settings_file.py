"""Reads a YAML settings file into a pydantic model, with errors that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from yaml.constructor import SafeConstructor

from tenant_experience.errors import UserError

Key = tuple[str, ...]
# A Feature Store feature name, in the lower-case form that is also a SQL identifier.
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
_DEEPEST = 30
_DOTTED = re.compile(r"[a-z_]+(?:\.[\w-]+)*")
_WHOLE = "must be a whole number"
_NUMBER = "must be a number"
_MAPPING = "must be a mapping of keys to values"
# What pydantic puts behind a key when it means the name of the key, and not its value.
_NAME = "[key]"
_TIME = "must be a time, such as 2026-11-01T00:00:00Z"
# pydantic's kind of error -> what is wanted; the names in braces are pydantic's own.
_WANTED = {
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing"), _NUMBER),
    "finite_number": "must be a finite number",
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode", "invalid_key"), "must be a text"),
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    **dict.fromkeys(("literal_error", "enum"), "must be {expected}"),
    **dict.fromkeys(("list_type", "tuple_type", "iterable_type"), "must be a list, such as [a, b]"),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), _MAPPING),
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    **dict.fromkeys(("datetime_type", "datetime_parsing", "datetime_from_date_parsing"), _TIME),
    "datetime_object_invalid": _TIME,
    "timezone_aware": "must be a time with a zone, such as 2026-11-01T00:00:00Z",
    "none_required": "must be left out",
}


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
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
        lines, written = _lines(node), _written(node)
        document = None if node is None else SafeConstructor().construct_document(node)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path.name} is not valid YAML: {error}", code=code) from error
    if not isinstance(document, dict):
        raise UserError(f"{path.name} must be a mapping of keys to values", code=code)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise UserError(f"{path.name}: {'; '.join(_complaints(error, lines, written, model))}", code=code) from error


def line_of(path: Path, *key: int | str) -> int:
    """The line of ``key`` in the valid YAML file ``path``; when it is absent, the line of the key around it."""
    return _line(_lines(yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)), key)


class _Loader(yaml.SafeLoader):
    """Refuses small but expensive YAML: aliases of aliases fill the memory, and deep nesting takes hours to read."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A node and those below it.

        Raises:
            YAMLError: the YAML has aliases, or is nested more deeply than any settings.
        """
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"line {line}: aliases are not allowed; write the value instead of *{event.anchor}")
        if not isinstance(event, yaml.CollectionStartEvent):
            return super().compose_node(parent, index)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError(f"line {line}: more than {_DEEPEST} levels of nesting")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


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
    value = SafeConstructor().construct_object(name)
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) or value is None else repr(value)


def _written(node: yaml.Node | None, key: Key = ()) -> dict[Key, str]:
    """Key -> its plain value as it stands in the file and, with ``[key]`` behind it, its name as it stands there."""
    written: dict[Key, str] = {}
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            inner = (*key, _as_read(name))
            written |= {(*inner, _NAME): str(name.value)} | _written(value, inner)
    if isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            written |= _written(item, (*key, str(place)))
    return {**written, key: node.value} if isinstance(node, yaml.ScalarNode) else written


def _line(lines: dict[Key, int], key: Sequence[int | str]) -> int:
    """The line of the key or, when that is missing, of the innermost key around it."""
    parts = tuple(map(str, key))
    return next((lines[parts[:end]] for end in range(len(parts), 0, -1) if parts[:end] in lines), 1)


def _complaints(
    error: ValidationError, lines: dict[Key, int], written: dict[Key, str], model: type[BaseModel]
) -> Iterator[str]:
    """A sentence for each key that is wrong, with its line: what is wanted there, and what was found."""
    alternatives: dict[Key, list[ErrorDetails]] = {}
    for detail in error.errors():
        alternatives.setdefault(_place(detail, lines), []).append(detail)
    for place, details in alternatives.items():
        named = _named_key(details[0], place, lines)
        yield f"line {_line(lines, named)}: {_complaint(place, details, written, model)}"


def _place(detail: ErrorDetails, lines: dict[Key, int]) -> Key:
    """The key as the file has it.

    Behind a key that may hold values of several types, pydantic names the type that it tried; for the name of an entry,
    it adds ``[key]``.
    """
    key = tuple(str(part) for part in detail["loc"])
    if detail["type"] in ("missing", "extra_forbidden"):
        return key
    return next((key[:end] for end in range(len(key), 0, -1) if key[:end] in lines), ())


def _named_key(detail: ErrorDetails, place: Key, lines: dict[Key, int]) -> Key:
    """The key at fault. A rule about several keys says which of them it means: its sentence names that one first."""
    if detail["type"] != "value_error":
        return place
    for word in _DOTTED.findall(detail["msg"].removeprefix("Value error, ")):
        for around in range(len(place), -1, -1):
            named = (*place[:around], *word.split("."))
            if named[: len(place)] == place and named != place and named in lines:
                return named
    return place


def _complaint(place: Key, details: Sequence[ErrorDetails], written: dict[Key, str], model: type[BaseModel]) -> str:
    detail = details[0]
    key = ".".join(written.get((*place[: end + 1], _NAME), part) for end, part in enumerate(place))
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key {key!r}; allowed here: {', '.join(_allowed_keys(model, detail['loc'])) or 'none'}"
    if detail["type"] == "missing":
        return f"key {key!r} is missing"
    wanted = " or ".join(dict.fromkeys(map(fault_in_words, details)))
    wanted = wanted.replace(" or must be ", " or ")
    found = "" if isinstance(detail["input"], dict) and detail["type"] == "value_error" else _found(detail["input"])
    is_name = detail["loc"][-1:] == (_NAME,) or detail["type"] == "invalid_key"
    where = f"key {key!r}: {'its name ' if is_name else ''}" if key else ""
    hint = _quoting_hint(detail, written.get((*place, _NAME) if is_name else place))
    return f"{where}{wanted}{'' if is_name else found}{hint}"


def fault_in_words(detail: ErrorDetails) -> str:
    """What is wanted, in our words instead of pydantic's."""
    context = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in detail.get("ctx", {}).items()
    }
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
        return "must have 1 to 63 of the characters a-z, 0-9 and _, the first a letter"
    text = _WANTED.get(detail["type"])
    return text.format(**context) if text else f"is not valid: {detail['msg']}"


def _found(value: object) -> str:
    """What stands in the file, as a person sees it there."""
    if value is None:
        return " (it is empty)"
    if isinstance(value, bool):
        return f" (it is {str(value).lower()})"
    if isinstance(value, dict | list):
        return f" (it is a {'mapping' if isinstance(value, dict) else 'list'})"
    return f" (it is {str(value) if isinstance(value, date) else repr(value):.200})"


def _quoting_hint(detail: ErrorDetails, written: str | None) -> str:
    """What to do where YAML read something else than the text that was written."""
    value = detail["input"]
    if detail["type"] not in ("string_type", "invalid_key") or not written:
        return ""
    if isinstance(value, bool):
        words, read = ("yes, on or true", "true") if value else ("no, off or false", "false")
        return f". YAML reads {words} without quotes as {read}: write it in quotes, such as '{written}'"
    if value is None:
        return f". YAML reads ~ and null without quotes as no value: write it in quotes, '{written}'"
    if isinstance(value, int | float | date):
        return f". YAML reads a bare number or date as such: write it in quotes, '{written}'"
    return ""


def _allowed_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the nested model in which the last part of ``location`` was found; empty when that is not clear."""
    current: type[BaseModel] = model
    for part in location[:-1]:
        by_key = {field.alias or name: field.annotation for name, field in current.model_fields.items()}
        candidates = [by_key.get(str(part)), *getattr(by_key.get(str(part)), "__args__", ())]
        nested = [item for item in candidates if isinstance(item, type) and issubclass(item, BaseModel)]
        current = nested[-1] if nested else current
        plain = [item for item in candidates if isinstance(item, type) and is_dataclass(item)]
        if plain:
            return [field.name for field in fields(plain[0])]
    return [field.alias or name for name, field in current.model_fields.items()]
