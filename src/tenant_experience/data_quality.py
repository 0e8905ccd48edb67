"""What came in, and what was refused and why, for ``data_quality.json``. No rows."""

# ruff: noqa: S608 - names in SQL are constants

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from tenant_experience.duckdb_session import single
from tenant_experience.raw_events import EVENTS_BY_CHANNEL, EventCounts
from tenant_experience.raw_staging import FileCount


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
