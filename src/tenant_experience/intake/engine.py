"""Where the rows of a batch are and what computes over them: DuckDB in this process, or Spark on several machines.

Rules and features are written once, in DuckDB's SQL; an engine holds the rows and answers that SQL.
"""

# ruff: noqa: S608 - names in SQL are the project's own
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import duckdb

from tenant_experience.intake.duckdb_session import literal
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.kept_events import IS_NEW, MONTH, KeptEvents, fetch_parts, kept_rows
from tenant_experience.intake.mapping import RowMapping
from tenant_experience.intake.staging import FileCount, stage_files
from tenant_experience.pseudonyms import Pseudonyms


class ProcessingEngine(Protocol):
    """Holds the rows of one batch.

    Attributes:
        connection: DuckDB in this process. Whatever the engine, it holds the small tables: ``quarantine`` and what was
            fetched.
        pseudonyms: replaces the ids in the rows; None when the rows hold the ids themselves.
    """

    connection: duckdb.DuckDBPyConnection
    pseudonyms: Pseudonyms | None

    def stage(self, files: Sequence[RawFile], mapping: RowMapping) -> list[FileCount]:
        """Fills ``staged`` in the engine and ``quarantine`` in the connection; see :func:`stage_files`."""

    def add_kept(self, kept: KeptEvents, mapping: RowMapping) -> None:
        """Puts the good rows of ``staged`` that count and the rows that were kept together into ``staged``.

        A further column says whether a row is new. ``read_now`` is what ``staged`` was before.
        """

    def keep_parts(self, kept: KeptEvents, sql: str) -> None:
        """Keeps rows, each in the part of its month, which count for nothing until the batch has its mark.

        Args:
            kept: says where.
            sql: a SELECT of the rows that are kept, with their months.
        """

    def view(self, name: str, sql: str) -> None:
        """Gives a SELECT a name, which it takes from an earlier one; it is computed whenever it is read."""

    def keep(self, name: str, sql: str) -> None:
        """Computes a SELECT once and keeps its rows in the engine as ``name``, instead of earlier ones."""

    def fetch(self, name: str, sql: str) -> None:
        """Computes a SELECT and puts its rows into the connection as the table ``name``."""


class DuckDbEngine:
    """Everything in one connection."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, scratch: Path, pseudonyms: Pseudonyms | None = None
    ) -> None:
        self.connection = connection
        self.pseudonyms = pseudonyms
        self._scratch = scratch

    def stage(self, files: Sequence[RawFile], mapping: RowMapping) -> list[FileCount]:
        """See the protocol."""
        return stage_files(self.connection, files, mapping, self._scratch, self.pseudonyms)

    def add_kept(self, kept: KeptEvents, mapping: RowMapping) -> None:
        """See the protocol. Parts stay as they are: each column is read when it is needed."""
        self.connection.execute("ALTER VIEW staged RENAME TO read_now")
        rows = recent_rows("read_now", kept)
        if kept.parts:
            rows += f" UNION ALL BY NAME {kept_rows(self.connection, fetch_parts(kept, self._scratch), kept, mapping)}"
        self.view("staged", rows)

    def keep_parts(self, kept: KeptEvents, sql: str) -> None:
        """See the protocol."""
        folder = self._scratch / "kept"
        self.connection.execute(
            f"COPY ({sql}) TO {literal(str(folder))} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY ({MONTH}))"
        )
        for of_month in sorted(folder.iterdir()):
            for number, path in enumerate(sorted(of_month.iterdir())):
                kept.store.put(path, kept.part(int(of_month.name.removeprefix(f"{MONTH}=")), number))

    def view(self, name: str, sql: str) -> None:
        """See the protocol."""
        self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}")

    def keep(self, name: str, sql: str) -> None:
        """See the protocol."""
        self.connection.execute(f"CREATE OR REPLACE TABLE {name} AS {sql}")

    def fetch(self, name: str, sql: str) -> None:
        """The same as keeping the rows: the engine is the connection."""
        self.keep(name, sql)


def recent_rows(rows: str, kept: KeptEvents) -> str:
    """SQL of the good rows of a batch that are recent enough to count, as rows of ``staged``."""
    return f"SELECT *, true AS {IS_NEW} FROM {rows} WHERE broken_rule IS NULL AND {kept.counts}"


OpenEngine = Callable[[duckdb.DuckDBPyConnection, Path, Pseudonyms | None], ProcessingEngine]
"""(connection, its scratch folder, what replaces ids) -> an engine for one batch."""
