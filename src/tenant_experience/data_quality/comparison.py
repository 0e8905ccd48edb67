"""What has changed since the last release that went live: tenants, portfolios, history. Features: ``feature_shift``."""

# ruff: noqa: S608 - names in SQL come from validated settings, the path is quoted
from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tenant_experience.data_layout import FEATURES_FILE, OUTCOME
from tenant_experience.features.sql import FEATURES_TABLE
from tenant_experience.intake.duckdb_session import count, literal
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.use_case.schema import UseCase

PREVIOUS_TABLE = "previous_features"
_NAMES = 50


def compare_releases(
    connection: duckdb.DuckDBPyConnection, use_case: UseCase, source_name: str, as_of: datetime, folder: Path
) -> dict[str, Any]:
    """Compares the table ``features`` with a release's ``features/`` folder, and makes its view ``previous_features``.

    Args:
        connection: holds ``features``; may read ``folder``.
        use_case: names the columns.
        source_name: of this release.
        as_of: of this release.
        folder: ``features.parquet`` and ``outcome.json`` of the release that is live; missing when none is.

    Returns:
        ``compared`` and, when it is false, ``reason``; else which release, and what has changed. Portfolios are named
        up to fifty, their numbers are exact.
    """
    obstacle = _obstacle(connection, use_case, source_name, as_of, folder)
    if obstacle:
        return {"compared": False, "reason": obstacle}
    previous = Outcome.read(folder).figures
    return {
        "compared": True,
        "release": previous.get("release"),
        "as_of": previous["as_of"],
        "tenants": _turnover(connection, use_case.record_id),
        "portfolios": _turnover(connection, use_case.partition_column) | _names(connection, use_case.partition_column),
        "tenants_by_history": dict(
            connection.execute(f"SELECT history, count(*) FROM {PREVIOUS_TABLE} GROUP BY 1 ORDER BY 1").fetchall()
        ),
    }


def _obstacle(
    connection: duckdb.DuckDBPyConnection, use_case: UseCase, source_name: str, as_of: datetime, folder: Path
) -> str | None:
    """Why the two cannot be compared. Makes the view when they can."""
    path = folder / FEATURES_FILE
    if not path.is_file() or not (folder / OUTCOME).is_file():
        return "no release is live yet"
    previous = Outcome.read(folder).figures
    if previous.get("source") != source_name:
        return f"the release that is live came from the source {previous.get('source')}, this one from {source_name}"
    if previous["as_of"] > f"{as_of:%Y-%m-%dT%H:%M:%SZ}":
        return f"the release that is live describes a later moment, {previous['as_of']}"
    connection.execute(f"CREATE VIEW {PREVIOUS_TABLE} AS SELECT * FROM read_parquet({literal(str(path))})")
    missing = {use_case.record_id, use_case.partition_column, "history"} - columns_of(connection, PREVIOUS_TABLE)
    return f"the release that is live has no column {', '.join(sorted(missing))}" if missing else None


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Names of a table's columns."""
    return {str(row[0]) for row in connection.execute(f"DESCRIBE {table}").fetchall()}


def _turnover(connection: duckdb.DuckDBPyConnection, column: str) -> dict[str, int]:
    """Distinct values of a column: then, now, new, gone."""
    return {
        "then": count(connection, f"SELECT count(DISTINCT {column}) FROM {PREVIOUS_TABLE}"),
        "now": count(connection, f"SELECT count(DISTINCT {column}) FROM {FEATURES_TABLE}"),
        "new": count(connection, f"SELECT count(*) FROM ({_only_in(FEATURES_TABLE, PREVIOUS_TABLE, column)})"),
        "gone": count(connection, f"SELECT count(*) FROM ({_only_in(PREVIOUS_TABLE, FEATURES_TABLE, column)})"),
    }


def _names(connection: duckdb.DuckDBPyConnection, column: str) -> dict[str, list[str]]:
    def names(table: str, other: str) -> list[str]:
        found = connection.execute(f"{_only_in(table, other, column)} ORDER BY 1 LIMIT {_NAMES}").fetchall()
        return [str(name) for (name,) in found]

    return {
        "new_names": names(FEATURES_TABLE, PREVIOUS_TABLE),
        "gone_names": names(PREVIOUS_TABLE, FEATURES_TABLE),
    }


def _only_in(table: str, other: str, column: str) -> str:
    return f"SELECT DISTINCT {column} FROM {table} ANTI JOIN {other} USING ({column})"
