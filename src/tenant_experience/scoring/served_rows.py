"""The rows of a scoring run: as the API's records, as a model's matrix, and as the container's JSON lines.

All three hold what the online store would serve for the same features, so that all answers are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tenant_experience.api.prediction import ServedTenant
from tenant_experience.data_layout import SIDE_COLUMNS
from tenant_experience.models.encoding import Encoding
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.served import ServedUseCase

ROWS_AT_ONCE = 20_000


def read_rows(path: Path, use_case: ServedUseCase, slugs: Sequence[str] | None = None) -> Iterator[ServedRows]:
    """The rows of ``features.parquet``, some thousand at a time; only those of some partitions, if ``slugs`` are given.

    Features that the use case no longer has are ignored, and those that the file lacks are not known.
    """
    file = pq.ParquetFile(path)
    own = (use_case.record_id, use_case.partition_column, "partition_slug", "as_of", "history", *SIDE_COLUMNS)
    given = set(file.schema_arrow.names)
    columns = [name for name in dict.fromkeys((*own, *use_case.features)) if name in given]
    for batch in file.iter_batches(ROWS_AT_ONCE, _row_groups(file, slugs), columns=columns):
        table = pa.Table.from_batches([batch])
        if slugs is not None:
            table = table.filter(pc.is_in(table["partition_slug"], value_set=pa.array(slugs, pa.string())))
        if len(table):
            yield ServedRows(table, use_case)


def _row_groups(file: pq.ParquetFile, slugs: Sequence[str] | None) -> list[int]:
    """Those that may have a row of these partitions, by which the file is sorted."""
    place = file.schema.names.index("partition_slug")

    def may_have_one(group: int) -> bool:
        known = file.metadata.row_group(group).column(place).statistics
        return known is None or not known.has_min_max or any(known.min <= slug <= known.max for slug in slugs or ())

    return [group for group in range(file.num_row_groups) if slugs is None or may_have_one(group)]


class ServedRows:
    """Some rows.

    Attributes:
        table: their columns.
    """

    def __init__(self, table: pa.Table, use_case: ServedUseCase) -> None:
        self.table = table
        self._use_case = use_case

    def __len__(self) -> int:
        return len(self.table)

    def take(self, rows: np.ndarray[Any, Any]) -> ServedRows:
        """The rows that a boolean mask selects."""
        return ServedRows(self.table.filter(pa.array(rows)), self._use_case)

    def take_first(self, rows: int) -> ServedRows:
        """At most so many rows."""
        return ServedRows(self.table.slice(0, rows), self._use_case)

    @cached_property
    def tenants(self) -> list[ServedTenant]:
        """The rows as the API reads them from the online store."""
        use_case, features = self._use_case, [name for name in self._use_case.features if name in self._names]
        side = [name for name in SIDE_COLUMNS if name in self._names]
        return [
            ServedTenant(
                tenant_id=row[use_case.record_id],
                portfolio_id=row[use_case.partition_column] or "",
                partition_slug=row["partition_slug"] or "",
                as_of=_moment(row["as_of"]),
                release="",
                history=row["history"] or "",
                values={name: row[name] for name in features if row[name] is not None},
                side={name: row[name] for name in side if row[name] is not None},
                partition_column=use_case.partition_column,
            )
            for row in self.table.to_pylist()
        ]

    @property
    def may_be_predicted(self) -> np.ndarray[Any, Any]:
        """(rows,) False for records with too little history."""
        return np.asarray([tenant.may_be_predicted for tenant in self.tenants], dtype=bool)

    @property
    def exposure_days(self) -> Floats:
        """(rows,) NaN where it is not known."""
        return self._numbers("exposure_days")

    def matrix(self, encoding: Encoding) -> Floats:
        """(rows, columns) as the container reads the same rows in JSON."""
        return np.hstack([self._encoded(name, encoding) for name in encoding.features])

    def unknown_categories(self, encoding: Encoding) -> list[list[str]]:
        """For each row, the categories whose value the model never saw, in the order in which the API sends them."""
        found: list[list[str]] = [[] for _ in range(len(self))]
        order = dict.fromkeys((self._use_case.partition_column, *self._use_case.features))
        for name in (each for each in order if each in encoding.features and each in encoding.categories):
            for row, value in enumerate(self._texts(name)):
                if value is not None and not encoding.knows(name, value):
                    found[row].append(name)
        return found

    def json_lines(self) -> Iterator[bytes]:
        """The rows as lines of a request to the container."""
        for tenant in self.tenants:
            yield json.dumps(tenant.instance, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    def _encoded(self, name: str, encoding: Encoding) -> Floats:
        if name not in encoding.categories:
            return self._numbers(name)[:, np.newaxis]
        texts = self._texts(name)
        columns = {value: encoding.values(name, value) for value in set(texts)}
        return np.stack([columns[value] for value in texts])

    def _numbers(self, name: str) -> Floats:
        if name not in self._names:
            return np.full(len(self), np.nan)
        column: Floats = self.table[name].to_numpy().astype(np.float64, copy=False)
        return column

    def _texts(self, name: str) -> list[str | None]:
        """The values of a category; the portfolio is one, unless a feature has its name."""
        if name == self._use_case.partition_column:
            return [text or None for text in self.table[name].to_pylist()]
        return self.table[name].to_pylist() if name in self._names else [None] * len(self)

    @cached_property
    def _names(self) -> set[str]:
        return set(self.table.column_names)


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
