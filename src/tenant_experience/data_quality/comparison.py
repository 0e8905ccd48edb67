"""What has changed since the last release that went live: tenants, portfolios and history. Features: ``_shift``."""

# ruff: noqa: S608 - names in SQL come from validated settings, the path is quoted
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb

from tenant_experience.data_layout import EXAMPLES_FILE, FEATURES_FILE, OUTCOME
from tenant_experience.features.sql import FEATURES_TABLE
from tenant_experience.intake.duckdb_session import count, identifier, literal
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.use_case.schema import UseCase

PREVIOUS_TABLE = "previous_features"
# There only where a record of the live release could have several rows to learn from.
PREVIOUS_EXAMPLES = "previous_examples"
_NAMES = 50


@dataclass(frozen=True)
class Turnover:
    """How many different values a column has in each release, and how many only one of them has."""

    then: int
    now: int
    new: int
    gone: int


@dataclass(frozen=True)
class PortfolioTurnover(Turnover):
    """The same of portfolios, with the names of up to fifty that are new and fifty that are gone."""

    new_names: list[str]
    gone_names: list[str]


@dataclass(frozen=True)
class Comparison:
    """This release beside the one that is live.

    Attributes:
        compared: tells it from ``NotCompared``.
        release: the one that is live.
        as_of: the moment that it describes.
        tenants: their turnover.
        portfolios: their turnover.
        tenants_by_history: of the release that is live.
    """

    compared: Literal[True]
    release: str | None
    as_of: str
    tenants: Turnover
    portfolios: PortfolioTurnover
    tenants_by_history: dict[str, int]


@dataclass(frozen=True)
class NotCompared:
    """Why there is no comparison, in words."""

    compared: Literal[False]
    reason: str


def compare_releases(
    connection: duckdb.DuckDBPyConnection, use_case: UseCase, source_name: str, as_of: datetime, folder: Path
) -> Comparison | NotCompared:
    """Compares the table ``features`` with a release's ``features/`` folder, and makes its view ``previous_features``.

    Args:
        connection: holds ``features``; may read ``folder``.
        use_case: names the columns.
        source_name: of this release.
        as_of: of this release.
        folder: ``features.parquet`` and ``outcome.json`` of the release that is live; missing when none is.
    """
    obstacle = _obstacle(connection, use_case, source_name, as_of, folder)
    if obstacle:
        return NotCompared(compared=False, reason=obstacle)
    previous = Outcome.read(folder).figures
    portfolio = use_case.partition_column
    return Comparison(
        compared=True,
        release=previous.get("release"),
        as_of=previous["as_of"],
        tenants=_turnover(connection, use_case.record_id),
        portfolios=PortfolioTurnover(
            **vars(_turnover(connection, portfolio)),
            new_names=_names(connection, FEATURES_TABLE, PREVIOUS_TABLE, portfolio),
            gone_names=_names(connection, PREVIOUS_TABLE, FEATURES_TABLE, portfolio),
        ),
        tenants_by_history=dict(
            connection.execute(f"SELECT history, count(*) FROM {PREVIOUS_TABLE} GROUP BY 1 ORDER BY 1").fetchall()
        ),
    )


def live_as_of(folder: Path) -> str | None:
    """The moment that the live release's features describe, whatever its source; None when no release is live."""
    return str(Outcome.read(folder).figures["as_of"]) if (folder / OUTCOME).is_file() else None


def _obstacle(
    connection: duckdb.DuckDBPyConnection, use_case: UseCase, source_name: str, as_of: datetime, folder: Path
) -> str | None:
    """Why the two releases cannot be compared. Makes the view when they can."""
    path = folder / FEATURES_FILE
    if not path.is_file() or not (folder / OUTCOME).is_file():
        return "no release is live yet"
    previous = Outcome.read(folder).figures
    if previous.get("source") != source_name:
        return f"the live release came from the source {previous.get('source')}, this one from {source_name}"
    if previous["as_of"] > f"{as_of:%Y-%m-%dT%H:%M:%SZ}":
        return f"the live release describes a later moment, {previous['as_of']}"
    connection.execute(f"CREATE VIEW {PREVIOUS_TABLE} AS SELECT * FROM read_parquet({literal(str(path))})")
    if (examples := folder / EXAMPLES_FILE).is_file():
        connection.execute(f"CREATE VIEW {PREVIOUS_EXAMPLES} AS SELECT * FROM read_parquet({literal(str(examples))})")
    missing = {use_case.record_id, use_case.partition_column, "history"} - columns_of(connection, PREVIOUS_TABLE)
    return f"the live release has no column {', '.join(sorted(missing))}" if missing else None


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Names of a table's columns."""
    return {str(row[0]) for row in connection.execute(f"DESCRIBE {table}").fetchall()}


def _turnover(connection: duckdb.DuckDBPyConnection, column: str) -> Turnover:
    column = identifier(column)
    return Turnover(
        then=count(connection, f"SELECT count(DISTINCT {column}) FROM {PREVIOUS_TABLE}"),
        now=count(connection, f"SELECT count(DISTINCT {column}) FROM {FEATURES_TABLE}"),
        new=count(connection, f"SELECT count(*) FROM ({_only_in(FEATURES_TABLE, PREVIOUS_TABLE, column)})"),
        gone=count(connection, f"SELECT count(*) FROM ({_only_in(PREVIOUS_TABLE, FEATURES_TABLE, column)})"),
    )


def _names(connection: duckdb.DuckDBPyConnection, table: str, other: str, column: str) -> list[str]:
    found = connection.execute(f"{_only_in(table, other, identifier(column))} ORDER BY 1 LIMIT {_NAMES}").fetchall()
    return [str(name) for (name,) in found]


def _only_in(table: str, other: str, column: str) -> str:
    return f"SELECT DISTINCT {column} FROM {table} ANTI JOIN {other} USING ({column})"
