"""``application/json`` to a batch. No pandas: for one row, making a frame takes longer than several predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from container.batch import Batch, refuse_infinite, text_of
from container.instances import InstanceReader, Rows, only_keys
from container.serving_errors import BadRequestError
from tenant_experience.json_document import parse_json
from tenant_experience.models.encoding import Encoding


def read_json(body: bytes, encoding: Encoding) -> Batch:
    """Reads ``{"instances": [{"tenant_id": "...", "features": {...}, "exposure_days": 365}], "explain": true}``.

    A feature that is null or absent is missing; NaN is not JSON. A key may stand only once in an object. The value of a
    category is a text. Features that the model does not read are refused, or ignored with
    ``"ignore_unknown_features": true``.

    Raises:
        BadRequestError: naming the instance, counted from 0, and the field.
    """
    text = text_of(body)
    if not text.strip():
        return Batch(np.empty((0, len(encoding.columns))), [])
    try:
        document = parse_json(text, refuse_constant)
    except ValueError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    only_keys(document, ("instances", "explain", "ignore_unknown_features"), "the body")
    instances = document.get("instances")
    if not isinstance(instances, list):
        raise BadRequestError("instances must be a list of {tenant_id, features, exposure_days}")
    reader = InstanceReader(encoding, ignore_unknown=_flag(document, "ignore_unknown_features"))
    rows = Rows.missing(len(instances), encoding)
    for place in reader.read_plain(instances, rows):
        reader.read(instances[place], place, rows, f"instance {place}")
    refuse_infinite(rows.values, encoding.columns, "instance", 0)
    return Batch(rows.values, rows.tenant_ids, rows.days, rows.unknown_categories, _flag(document, "explain"))


def refuse_constant(name: str) -> float:
    """Refuses what Python would read, though it is not JSON."""
    raise ValueError(f"{name} is not a JSON number; a missing value is null")


def _flag(document: dict[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise BadRequestError(f"{name} must be true or false")
    return value
