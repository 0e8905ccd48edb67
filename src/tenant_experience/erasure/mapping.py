"""Finds a tenant's raw rows: those to which the source's own mapping gives the tenant's id."""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from tenant_experience.erasure.id import ErasedId
from tenant_experience.intake.csv_format import CsvFormat, csv_format
from tenant_experience.intake.duckdb_session import identifier, open_session
from tenant_experience.intake.scan import tidied
from tenant_experience.use_case.id_sql import normal_id
from tenant_experience.use_case.source import Source
from tenant_experience.use_case.source_expression import columns_read

_REMEMBERED = 1_000_000


class RawMapping:
    """How raw rows of one source map to the tenant."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source, record_id: str, erased: ErasedId) -> None:
        self._connection = connection
        self._source = source
        self._expression = source.columns[record_id]
        self._erased = erased
        self._known: dict[tuple[str | None, ...], bool] = {}

    @classmethod
    @contextmanager
    def open(cls, source: Source, record_id: str, erased: ErasedId) -> Iterator[RawMapping]:
        """A mapping with a DuckDB session of its own."""
        with open_session(time_zone=source.time_zone) as (connection, _):
            yield cls(connection, source, record_id, erased)

    def csv_format(self, extension: str, header: str) -> CsvFormat:
        """How a CSV file of the source is written."""
        return csv_format(extension, header, self._source)

    @property
    def skip_lines(self) -> int:
        """How many lines of a CSV file stand before its header."""
        return self._source.csv.skip_lines

    @property
    def encoding(self) -> str:
        """The encoding of the source's CSV files."""
        return self._source.csv.encoding

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a file that the tenant's id is made from."""
        return columns_read(self._expression)

    def are_tenants(self, keys: Sequence[tuple[str | None, ...]]) -> list[bool]:
        """Whether rows of text are the tenant's.

        Args:
            keys: for each row, the values of ``columns``.
        """
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        new = list({key for key in keys if key not in self._known})
        if new:
            values = [pa.array([key[place] for key in new], pa.string()) for place in range(len(self.columns))]
            self._known.update(zip(new, self.mask(pa.table(values, names=list(self.columns))), strict=True))
        return [self._known[key] for key in keys]

    def mask(self, table: pa.Table) -> list[bool]:
        """Which rows of a table, whose columns may have any type, are the tenant's."""
        types = {name: self._type(table, name) for name in table.column_names}
        selected = ", ".join(tidied(name, types, self._source.null_markers) for name in self.columns) or "1 AS nothing"
        self._connection.register("batch", table)
        rows = self._connection.execute(
            f"SELECT coalesce(list_contains($1, {normal_id('id', self._erased.case)}), false) "
            f"FROM (SELECT TRY(trim(CAST((\n{self._expression}\n) AS VARCHAR))) AS id "
            f"FROM (SELECT {selected} FROM batch))",
            [list(self._erased.ids)],
        ).fetchall()
        self._connection.unregister("batch")
        return [hit for (hit,) in rows]

    def _type(self, table: pa.Table, name: str) -> str:
        described = self._connection.execute
        self._connection.register("described", table.select([name]))
        ((_, kind, *_rest),) = described(f"DESCRIBE SELECT {identifier(name)} FROM described").fetchall()
        self._connection.unregister("described")
        return str(kind)
