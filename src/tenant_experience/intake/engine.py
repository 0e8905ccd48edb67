"""Where the rows of a batch are and what computes over them: DuckDB in this process, or Spark on several machines.

Rules and features are written once, in DuckDB's SQL; an engine holds the rows and answers that SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import duckdb

from tenant_experience.intake.formats import RawFile
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

    def view(self, name: str, sql: str) -> None:
        """See the protocol."""
        self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}")

    def keep(self, name: str, sql: str) -> None:
        """See the protocol."""
        self.connection.execute(f"CREATE OR REPLACE TABLE {name} AS {sql}")

    def fetch(self, name: str, sql: str) -> None:
        """The same as keeping the rows: the engine is the connection."""
        self.keep(name, sql)


OpenEngine = Callable[[duckdb.DuckDBPyConnection, Path, Pseudonyms | None], ProcessingEngine]
"""(connection, its scratch folder, what replaces ids) -> an engine for one batch."""
