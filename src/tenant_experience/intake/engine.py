"""Where the rows of a batch are and who computes over them: DuckDB in this process, or Spark on several machines.

Rules and features are written once, in DuckDB's SQL; an engine holds the rows and answers that SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import duckdb

from tenant_experience.intake.files import RawFile
from tenant_experience.intake.quarantine import Rule
from tenant_experience.intake.staging import FileCount, stage_files
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.use_case.source import Source


class ProcessingEngine(Protocol):
    """Holds the rows of one batch.

    Attributes:
        connection: DuckDB in this process; has what is small, whatever the engine: ``quarantine`` and what was fetched.
        pseudonyms: what stands for ids in the rows; None when the ids do.
    """

    connection: duckdb.DuckDBPyConnection
    pseudonyms: Pseudonyms | None

    def stage(self, files: list[RawFile], source: Source, typed: dict[str, str], rules: list[Rule]) -> list[FileCount]:
        """Fills ``staged`` in the engine and ``quarantine`` in the connection; see :func:`stage_files`."""

    def view(self, name: str, sql: str) -> None:
        """Calls a SELECT ``name``; it is computed whenever it is read."""

    def keep(self, name: str, sql: str) -> None:
        """Computes a SELECT once and keeps its rows in the engine as ``name``."""

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

    def stage(self, files: list[RawFile], source: Source, typed: dict[str, str], rules: list[Rule]) -> list[FileCount]:
        """As the protocol says."""
        return stage_files(self.connection, files, source, typed, rules, self._scratch, self.pseudonyms)

    def view(self, name: str, sql: str) -> None:
        """As the protocol says."""
        self.connection.execute(f"CREATE VIEW {name} AS {sql}")

    def keep(self, name: str, sql: str) -> None:
        """As the protocol says."""
        self.connection.execute(f"CREATE TABLE {name} AS {sql}")

    def fetch(self, name: str, sql: str) -> None:
        """The same as keeping it: the engine is the connection."""
        self.keep(name, sql)


OpenEngine = Callable[[duckdb.DuckDBPyConnection, Path, Pseudonyms | None], ProcessingEngine]
"""(connection, its scratch folder, what stands for ids) -> an engine for one batch."""
