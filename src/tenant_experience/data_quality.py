"""``data_quality.json``: what came in, what was refused and why, what the features look like. No rows."""

# ruff: noqa: S608 - names in SQL come from validated settings
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from tenant_experience.duckdb_session import count, single
from tenant_experience.errors import UserError
from tenant_experience.features import FEATURES_TABLE, SIDE_COLUMNS
from tenant_experience.raw_events import EVENTS_BY_CHANNEL, EventCounts
from tenant_experience.raw_staging import FileCount
from tenant_experience.use_case import UseCase

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def describe_intake(connection: duckdb.DuckDBPyConnection, files: Sequence[FileCount]) -> dict[str, Any]:
    """Lines read and refused: in all, per file, and per reason with its first place.

    Args:
        connection: holds ``quarantine``.
        files: what each file held.
    """
    rows, quarantined = sum(file.rows for file in files), sum(file.quarantined for file in files)
    reasons = connection.execute(
        "SELECT reason, column_name, CAST(sum(lines) AS BIGINT) AS n, arg_min(file, row(file, line)), "
        "arg_min(line, row(file, line)) FROM (SELECT * EXCLUDE (lines), "
        "CASE WHEN reason IN ('unterminated_quote', 'line_too_long') THEN lines ELSE 1 END AS lines FROM quarantine) "
        "GROUP BY ALL ORDER BY n DESC, reason, column_name"
    ).fetchall()
    return {
        "rows": rows,
        "quarantined": quarantined,
        "quarantined_share": quarantined / rows if rows else 0.0,
        "quarantined_by_reason": [
            {"reason": reason, "column": column, "rows": n, "first_file": file, "first_line": line}
            for reason, column, n, file, line in reasons
        ],
        "files": [vars(file) for file in files],
    }


def describe_events(connection: duckdb.DuckDBPyConnection, counts: EventCounts) -> dict[str, Any]:
    """Duplicates, channels and the time span of the events kept.

    Args:
        connection: holds ``events_by_channel``.
        counts: from reading them.
    """
    first, last, rows = single(
        connection,
        "SELECT CAST(min(first_opened_at) AS VARCHAR), CAST(max(last_opened_at) AS VARCHAR), "
        f"CAST(sum(events) AS BIGINT) FROM {EVENTS_BY_CHANNEL}",
    )
    channels = connection.execute(f"SELECT channel, events FROM {EVENTS_BY_CHANNEL} ORDER BY 1").fetchall()
    return {
        "duplicates_dropped": counts.duplicates,
        "conflicting_ids": counts.conflicting_ids,
        "resolved_again": counts.resolved_again,
        "events": int(str(rows or 0)) - counts.duplicates,
        "first_opened_at": first,
        "last_opened_at": last,
        "rows_by_channel": dict(channels),
    }


def describe_features(connection: duckdb.DuckDBPyConnection, use_case: UseCase) -> dict[str, Any]:
    """Tenants by history, and of each feature the share of nulls and the quantiles of the rest.

    Args:
        connection: holds ``features``.
        use_case: names the columns.
    """
    by_history = connection.execute(f"SELECT history, count(*) FROM {FEATURES_TABLE} GROUP BY 1 ORDER BY 1").fetchall()
    return {
        "tenants": count(connection, f"SELECT count(*) FROM {FEATURES_TABLE}"),
        "may_train": count(connection, f"SELECT count(*) FILTER (may_train) FROM {FEATURES_TABLE}"),
        "tenants_by_history": dict(by_history),
        "portfolios": count(connection, f"SELECT count(DISTINCT {use_case.partition_column}) FROM {FEATURES_TABLE}"),
        "features": {name: _describe(connection, name) for name in (*use_case.features, *SIDE_COLUMNS)},
    }


def _describe(connection: duckdb.DuckDBPyConnection, column: str) -> dict[str, Any]:
    null_share, quantiles = single(
        connection,
        f"SELECT avg(CASE WHEN {column} IS NULL THEN 1 ELSE 0 END), "
        f"quantile_cont({column}, {list(QUANTILES)}) FROM {FEATURES_TABLE}",
    )
    values = quantiles if isinstance(quantiles, list) else [None] * len(QUANTILES)
    return {"null_share": null_share, "quantiles": {str(q): value for q, value in zip(QUANTILES, values, strict=True)}}


def check_quarantine_gate(intake: dict[str, Any], use_case: UseCase, input_columns: dict[str, str]) -> None:
    """Refuses a batch of which too large a share was refused row by row.

    Args:
        intake: from :func:`describe_intake`.
        use_case: its gate ``quarantine_share``.
        input_columns: our column -> what the source reads it from.

    Raises:
        UserError: ``no_rows`` or ``too_many_bad_rows``; names the worst reason with its column, file and line.
    """
    names = ", ".join(file["name"] for file in intake["files"])[:500]
    if not intake["rows"]:
        columns = ", ".join(input_columns.values())
        raise UserError(f"{names}: a header but no rows; expected rows with the columns {columns}", code="no_rows")
    limit, share = use_case.gates.quarantine_share, intake["quarantined_share"]
    if share <= limit:
        return
    worst = intake["quarantined_by_reason"][0]
    column = input_columns.get(worst["column"], worst["column"]) or "the row as a whole"
    raise UserError(
        f"{intake['quarantined']} of {intake['rows']} rows ({share:.1%}) were refused; the gate quarantine_share "
        f"allows {limit:.1%}. Most often: {worst['reason']}, column {column}, {worst['rows']} times, first in "
        f"{worst['first_file']} line {worst['first_line']}. All of them, with reasons: the quarantine of this release",
        code="too_many_bad_rows",
    )
