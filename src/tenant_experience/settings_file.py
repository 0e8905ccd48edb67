"""Reading a YAML settings file into a pydantic model, with errors a person can act on."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from tenant_experience.errors import UserError


class Settings(BaseModel):
    """The parent of every settings model: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


AnySettings = TypeVar("AnySettings", bound=Settings)


def load_settings(path: Path, model: type[AnySettings], *, code: str) -> AnySettings:
    """Reads ``path`` as ``model``.

    Raises:
        UserError: ``code``; the file is missing, is not YAML, or a key is unknown, missing or has a wrong value. The
            message names the file, the key and what is allowed there.
    """
    if not path.is_file():
        raise UserError(f"{path.parent.name}/{path.name} does not exist", code=code)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} is not valid YAML: {error}", code=code) from error
    if not isinstance(document, dict):
        raise UserError(f"{path.name} must be a mapping of keys to values", code=code)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        complaints = "; ".join(_complaint(detail, model) for detail in error.errors())
        raise UserError(f"{path.name}: {complaints}", code=code) from error


def _complaint(detail: ErrorDetails, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in detail["loc"]) or "(file)"
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key!r}; allowed here: {', '.join(_allowed_keys(model, detail['loc'])) or 'none'}"
    if detail["type"] == "missing":
        return f"key {key!r} is missing"
    return f"key {key!r}: {detail['msg']} (it is {detail['input']!r})"


def _allowed_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the nested model that ``location``'s last part was found in; empty when it cannot be told."""
    current: type[BaseModel] = model
    for part in location[:-1]:
        by_key = {field.alias or name: field.annotation for name, field in current.model_fields.items()}
        candidates = [by_key.get(str(part)), *getattr(by_key.get(str(part)), "__args__", ())]
        nested = [item for item in candidates if isinstance(item, type) and issubclass(item, BaseModel)]
        current = nested[-1] if nested else current
    return [field.alias or name for name, field in current.model_fields.items()]
