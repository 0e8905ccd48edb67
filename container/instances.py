"""``{tenant_id, features, exposure_days}`` into columns: most of them together, and those that are odd one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import numpy as np

from container.batch import float32
from container.serving_errors import BadRequestError
from tenant_experience.models.encoding import Encoding
from tenant_experience.statistics.arrays import Floats

KEYS = ("tenant_id", "features", "exposure_days")
_NUMBERS, _TEXTS = frozenset((float, int, NoneType)), frozenset((str, NoneType))
# Up to here, numbers are read together. Larger ones may be too large for 32 bits, which is said of each.
_ORDINARY = 1e38
# Fewer instances are read more quickly one by one.
_FEWEST = 16


@dataclass(frozen=True)
class Rows:
    """What is read of instances, an entry for each.

    Attributes:
        values: (rows, columns) as the model's encoding arranges them, NaN = missing.
        days: (rows,) that each was seen, NaN where they are not given.
        tenant_ids: None where none is given.
        unknown_categories: row -> names of the categories whose value the model never saw.
    """

    values: Floats
    days: Floats
    tenant_ids: list[str | None]
    unknown_categories: dict[int, list[str]]

    @classmethod
    def missing(cls, count: int, encoding: Encoding) -> Rows:
        """So many of which nothing is known."""
        return cls(np.full((count, len(encoding.columns)), np.nan), np.full(count, np.nan), [None] * count, {})


class InstanceReader:
    """Reads instances for one model.

    Args:
        encoding: of the model.
        ignore_unknown: whether features that the model does not read are ignored, or refused.
    """

    def __init__(self, encoding: Encoding, *, ignore_unknown: bool) -> None:
        self._encoding = encoding
        self._ignore_unknown = ignore_unknown
        self._places = dict(zip(encoding.features, encoding.first_columns.tolist(), strict=True))
        self._numbers = [name for name in encoding.features if name not in encoding.categories]
        self._texts = [name for name in encoding.features if name in encoding.categories]

    def read_plain(self, instances: Sequence[Any], rows: Rows) -> list[int]:
        """Reads the instances that are as they should be, a column at a time.

        Returns:
            The places of the others, ascending. ``read`` reads them, or says what is wrong.
        """
        if len(instances) < _FEWEST:
            return list(range(len(instances)))
        plain: list[int] = []
        numbers, texts = [], []
        for place, instance in enumerate(instances):
            features = self._plain_features(instance)
            if features is not None:
                cells, words = tuple(map(features.get, self._numbers)), tuple(map(features.get, self._texts))
                if _NUMBERS.issuperset(map(type, cells)) and _TEXTS.issuperset(map(type, words)):
                    plain.append(place)
                    numbers.append((*cells, instance.get("exposure_days")))
                    texts.append(words)
        try:
            matrix = np.array(numbers, dtype=np.float64).reshape(len(plain), len(self._numbers) + 1)
        except OverflowError:  # a whole number with more digits than any float
            return list(range(len(instances)))
        days = matrix[:, -1]
        kept = np.flatnonzero(~(np.abs(matrix) > _ORDINARY).any(axis=1) & ~(days <= 0))
        if len(kept) < len(plain):
            matrix, plain, texts = matrix[kept], [plain[each] for each in kept], [texts[each] for each in kept]
        rows.values[np.ix_(plain, [self._places[name] for name in self._numbers])] = matrix[:, :-1]
        rows.days[plain] = matrix[:, -1]
        for place in plain:
            rows.tenant_ids[place] = instances[place].get("tenant_id")
        self._read_categories(instances, plain, texts, rows)
        return sorted(set(range(len(instances))).difference(plain))

    def read(self, instance: Any, place: int, rows: Rows, where: str) -> None:
        """Reads one instance, which is at ``place`` among the rows.

        Raises:
            BadRequestError: something is wrong with the instance, which the message calls ``where``.
        """
        only_keys(instance, KEYS, where)
        rows.tenant_ids[place], days = _tenant_id(instance, where), _exposure_days(instance, where)
        never_seen = self._fill(rows.values[place], instance.get("features"), where)
        rows.days[place] = days
        if never_seen:
            rows.unknown_categories[place] = never_seen

    def _plain_features(self, instance: Any) -> dict[str, Any] | None:
        """The features of an instance whose keys, id and days are of the right kinds."""
        if type(instance) is not dict:
            return None
        features = instance.get("features")
        if type(features) is not dict or len(instance) != 1 + ("tenant_id" in instance) + ("exposure_days" in instance):
            return None
        if type(instance.get("tenant_id")) not in _TEXTS or type(instance.get("exposure_days")) not in _NUMBERS:
            return None
        return features if self._ignore_unknown or self._places.keys() >= features.keys() else None

    def _read_categories(
        self, instances: Sequence[Any], plain: Sequence[int], texts: Sequence[tuple[Any, ...]], rows: Rows
    ) -> None:
        encoding = self._encoding
        never_seen = np.zeros(len(plain), dtype=bool)
        for name, cells in zip(self._texts, zip(*texts, strict=True), strict=False):
            numbers = encoding.numbers(name, cells)
            never_seen |= numbers == encoding.NEVER_SEEN
            columns = encoding.of_numbers(name, numbers)
            rows.values[np.ix_(plain, self._places[name] + np.arange(columns.shape[1]))] = columns
        for place in (plain[each] for each in np.flatnonzero(never_seen).tolist()):
            rows.unknown_categories[place] = [
                name
                for name, value in instances[place]["features"].items()
                if name in encoding.categories and value is not None and not encoding.knows(name, value)
            ]

    def _fill(self, row: Floats, features: Any, where: str) -> list[str]:
        """Puts the features into their columns in ``row``; the categories whose value the model never saw."""
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


def only_keys(value: Any, allowed: Sequence[str], where: str) -> None:
    """Refuses what is no object, or has other keys than ``allowed``.

    Raises:
        BadRequestError: the message calls it ``where``.
    """
    if not isinstance(value, dict):
        raise BadRequestError(f"{where} must be an object with {', '.join(allowed)}")
    unknown = sorted(set(value) - set(allowed))
    if unknown:
        raise BadRequestError(f"{where}: unknown key {', '.join(unknown)[:200]}; allowed are {', '.join(allowed)}")


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
