"""The card of a model package. Its content must fit SageMaker's schema, and an archived card does not change."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from local_aws.sagemaker.core.errors import validation_error

_SCHEMA = Path(__file__).parent / "model_card_schema.json"
_ARCHIVED = "Archived"


@cache
def _validator() -> Draft7Validator:
    return Draft7Validator(json.loads(_SCHEMA.read_text()))


def new_card(card: dict[str, Any]) -> dict[str, Any]:
    """The card of a new package.

    Raises:
        ServiceError: ValidationException, its content does not fit the schema.
    """
    _check_content(card)
    return {"ModelCardStatus": "Draft"} | card


def changed_card(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The card after an update, which may change its status alone.

    Raises:
        ServiceError: ValidationException, the content does not fit the schema, or the card is archived.
    """
    if "ModelCardContent" in change and before.get("ModelCardStatus") == _ARCHIVED:
        raise validation_error("Model Card is in Archived state")
    _check_content(change)
    return before | change


def _check_content(card: dict[str, Any]) -> None:
    if "ModelCardContent" not in card:
        return
    try:
        content = json.loads(card["ModelCardContent"])
    except ValueError as error:
        raise validation_error(f"ModelCardContent is not JSON: {error}") from error
    faults = [f"{fault.json_path}: {fault.message}" for fault in _validator().iter_errors(content)]
    if faults:
        raise validation_error(f"ModelCardContent is not of the model package model card schema: {'; '.join(faults)}")
