"""From features to the columns of a model's matrix: numbers as they are, a category as one column for each value.

One column for each value rather than a trainer's own categories: every trainer, and anything that reads the artifact,
understands it. The partition of a model with levels is an exception: no trainer reads it (``partition_levels``), and it
may have thousands of values, so it is one column with their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats

if TYPE_CHECKING:
    from tenant_experience.features.table import FeatureTable

Matrix = NDArray[np.float32]


_LARGEST = np.finfo(np.float32).max


def as_matrix(values: Floats) -> Matrix:
    """As 32-bit numbers; one too large for that becomes the largest, because trainers refuse infinity."""
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)


@dataclass(frozen=True)
class Encoding:
    """The features a model reads, in order, and the values it knows of those that are categories.

    A value that it does not know is none of the known ones: 0 in each of their columns. A missing one is NaN in each.
    ``numbered`` is the category, if any, that is the tenant's partition: one column with the number of its value, -1
    for a value that it does not know.
    """

    NEVER_SEEN: ClassVar[int] = -1
    MISSING: ClassVar[int] = -2

    features: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    numbered: str | None = None

    @classmethod
    def fit(cls, table: FeatureTable, features: Sequence[str]) -> Encoding:
        """The encoding whose categories are the values that occur in ``table``: the training part."""
        known = {}
        for name in features:
            if name in table.categories:
                codes = np.unique(table.column(name))
                known[name] = tuple(table.categories[name][int(code)] for code in codes[~np.isnan(codes)])
        return cls(tuple(features), known)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the matrix' columns; of a category ``name:0``, ``name:1`` ... in the order of its values."""
        return tuple(column for name in self.features for column in self._columns_of(name))

    @cached_property
    def first_columns(self) -> NDArray[np.intp]:
        """The place in ``columns`` where each feature begins."""
        widths = [len(self._columns_of(name)) for name in self.features]
        return np.cumsum([0, *widths[:-1]])

    def matrix(self, table: FeatureTable) -> Matrix:
        """The tenants of ``table`` as the model reads them, shape (tenants, columns)."""
        return as_matrix(np.hstack([self._encoded(name, table) for name in self.features]))

    def knows(self, name: str, value: str) -> bool:
        """Whether a category has the value."""
        return value in self._places[name]

    def values(self, name: str, value: str | None) -> Matrix:
        """One category's columns for one value, shape (columns of the category,)."""
        if name == self.numbered:
            return np.asarray([np.nan if value is None else self._places[name].get(value, -1)], dtype=np.float32)
        known = self.categories[name]
        if value is None:
            return np.full(len(known), np.nan, dtype=np.float32)
        return np.asarray([value == each for each in known], dtype=np.float32)

    def numbers(self, name: str, values: Sequence[str | None]) -> NDArray[np.intp]:
        """(values,) the numbers of a category's values; ``NEVER_SEEN`` and ``MISSING`` (None) have none."""
        places = self._places[name]
        return np.asarray(
            [self.MISSING if value is None else places.get(value, self.NEVER_SEEN) for value in values], dtype=np.intp
        )

    def of_numbers(self, name: str, numbers: NDArray[np.intp]) -> Matrix:
        """The columns of a category's values, (values, columns of the category), from what ``numbers`` answers."""
        if name == self.numbered:
            columns = numbers[:, np.newaxis].astype(np.float32)
        else:
            columns = np.equal(numbers[:, np.newaxis], np.arange(len(self.categories[name]))).astype(np.float32)
        columns[numbers == self.MISSING] = np.nan
        return columns

    def by_feature(self, contributions: Matrix) -> Matrix:
        """What columns contribute, (rows, columns), added up by feature, (rows, features)."""
        return np.add.reduceat(contributions, self.first_columns, axis=1)

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        """Category -> its values with their numbers."""
        return {name: {value: place for place, value in enumerate(known)} for name, known in self.categories.items()}

    def _columns_of(self, name: str) -> list[str]:
        if name not in self.categories or name == self.numbered:
            return [name]
        return [f"{name}:{number}" for number in range(len(self.categories[name]))]

    def _encoded(self, name: str, table: FeatureTable) -> Floats:
        if name == self.numbered:
            known = self._places[name]
            return np.asarray([known.get(value, -1) for value in table.portfolio_id.tolist()], dtype=np.float64)[
                :, np.newaxis
            ]
        return self._indicators(name, table) if name in self.categories else table.column(name)[:, np.newaxis]

    def _indicators(self, name: str, table: FeatureTable) -> Floats:
        codes = table.column(name)
        places = {value: code for code, value in enumerate(table.categories[name])}
        known = np.asarray([places.get(value, -1) for value in self.categories[name]], dtype=np.float64)
        indicators: Floats = np.equal(codes[:, np.newaxis], known).astype(np.float64)
        indicators[np.isnan(codes)] = np.nan
        return indicators
