"""``application/json`` to a batch. No pandas: for one row, making a frame takes longer than several predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from container.batch import Batch, float32, refuse_infinite, text_of
from container.serving_errors import BadRequestError
from tenant_experience.json_document import parse_json
from tenant_experience.models.encoding import Encoding
from tenant_experience.statistics.arrays import Floats


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
    _only_keys(document, ("instances", "explain", "ignore_unknown_features"), "the body")
    instances = document.get("instances")
    if not isinstance(instances, list):
        raise BadRequestError("instances must be a list of {tenant_id, features, exposure_days}")
    reader = InstanceReader(encoding, ignore_unknown=_flag(document, "ignore_unknown_features"))
    values = np.full((len(instances), len(encoding.columns)), np.nan)
    days = np.full(len(instances), np.nan)
    tenant_ids, unknown = [], {}
    for row, instance in enumerate(instances):
        tenant_id, days[row], never_seen = reader.read(instance, values[row], f"instance {row}")
        tenant_ids.append(tenant_id)
        if never_seen:
            unknown[row] = never_seen
    refuse_infinite(values, encoding.columns, "instance", 0)
    return Batch(values, tenant_ids, days, unknown, _flag(document, "explain"))


class InstanceReader:
    """Reads one ``{tenant_id, features, exposure_days}`` at a time."""

    def __init__(self, encoding: Encoding, *, ignore_unknown: bool) -> None:
        self._encoding = encoding
        self._ignore_unknown = ignore_unknown
        self._places = dict(zip(encoding.features, encoding.first_columns.tolist(), strict=True))

    def read(self, instance: Any, row: Floats, where: str) -> tuple[str | None, float, list[str]]:
        """Puts the features into their columns in ``row``, shape (columns,).

        Returns:
            The tenant's id, the days it was seen (NaN where they are not given), and the categories whose value the
            model never saw.

        Raises:
            BadRequestError: something is wrong with the instance, which the message calls ``where``.
        """
        _only_keys(instance, ("tenant_id", "features", "exposure_days"), where)
        tenant_id, days = _tenant_id(instance, where), _exposure_days(instance, where)
        return tenant_id, days, self._fill(row, instance.get("features"), where)

    def _fill(self, row: Floats, features: Any, where: str) -> list[str]:
        if not isinstance(features, dict):
            raise BadRequestError(f"{where}: features must be an object of numbers, and of texts for categories")
        never_seen = []
        for name, value in features.items():
            place = self._places.get(name)
            if place is None:
                if self._ignore_unknown:
                    continue
                raise BadRequestError(
                    f"{where}: unknown feature {name[:200]}; the model knows {', '.join(self._places)}"
                )
            if value is None:
                continue
            if name in self._encoding.categories:
                known = self._encoding.values(name, _text(name, value, where))
                row[place : place + len(known)] = known
                if not self._encoding.knows(name, value):
                    never_seen.append(name)
            else:
                row[place] = float32(_number(name, value, where))
        return never_seen


def refuse_constant(name: str) -> float:
    """Refuses what Python would read, though it is not JSON."""
    raise ValueError(f"{name} is not a JSON number; a missing value is null")


def _only_keys(value: Any, allowed: Sequence[str], where: str) -> None:
    if not isinstance(value, dict):
        raise BadRequestError(f"{where} must be an object with {', '.join(allowed)}")
    unknown = sorted(set(value) - set(allowed))
    if unknown:
        raise BadRequestError(f"{where}: unknown key {', '.join(unknown)[:200]}; allowed are {', '.join(allowed)}")


def _flag(document: dict[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise BadRequestError(f"{name} must be true or false")
    return value


def _tenant_id(instance: dict[str, Any], where: str) -> str | None:
    tenant_id = instance.get("tenant_id")
    if tenant_id is not None and not isinstance(tenant_id, str):
        raise BadRequestError(f"{where}: tenant_id must be a string")
    return tenant_id


def _exposure_days(instance: dict[str, Any], where: str) -> float:
    days = instance.get("exposure_days")
    if days is None:
        return np.nan
    number = float32(_number("exposure_days", days, where))
    if not 0 < number < np.inf:
        raise BadRequestError(f"{where}: exposure_days is {number:g}; it must be a number of days above 0")
    return number


def _number(name: str, value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequestError(f"{where}: {name} is {_shown(value)}, neither a number nor null")
    return value


def _shown(value: Any) -> str:
    """A value as a refusal names it, unless it is nested too deeply to be written out."""
    try:
        return json.dumps(value)[:40]
    except RecursionError:
        return "a value of very many levels"


def _text(name: str, value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise BadRequestError(f"{where}: {name} is {_shown(value)}, neither a text nor null")
    return value
