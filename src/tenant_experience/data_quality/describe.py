"""What came in, and what was refused and why, for ``data_quality.json``. No rows."""

# ruff: noqa: S608 - names in SQL are constants

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from tenant_experience.intake.duckdb_session import single
from tenant_experience.intake.events import EVENTS_BY_CHANNEL, EventCounts
from tenant_experience.intake.staging import FileCount
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source


def describe_intake(connection: duckdb.DuckDBPyConnection, files: Sequence[FileCount]) -> dict[str, Any]:
    """Lines read, refused and passed over by the filter: in all, per file, and per reason with its first place.

    Args:
        connection: holds ``quarantine``.
        files: what each file held.

    Returns:
        Among others ``quarantined_share``: of the rows that the source's filter did not pass over.
    """
    rows, quarantined = sum(file.rows for file in files), sum(file.quarantined for file in files)
    filtered = sum(file.filtered for file in files)
    reasons = connection.execute(
        "SELECT reason, column_name, CAST(sum(lines) AS BIGINT) AS n, arg_min(file, row(file, line)), "
        "arg_min(line, row(file, line)) FROM (SELECT * EXCLUDE (lines), "
        "CASE WHEN reason IN ('unterminated_quote', 'line_too_long') THEN lines ELSE 1 END AS lines FROM quarantine) "
        "GROUP BY ALL ORDER BY n DESC, reason, column_name"
    ).fetchall()
    return {
        "rows": rows,
        "quarantined": quarantined,
        "filtered": filtered,
        "quarantined_share": quarantined / (rows - filtered) if rows > filtered else 0.0,
        "quarantined_by_reason": [
            {"reason": reason, "column": column, "rows": n, "first_file": file, "first_line": line}
            for reason, column, n, file, line in reasons
        ],
        "files": [vars(file) for file in files],
    }


def describe_events(connection: duckdb.DuckDBPyConnection, counts: EventCounts) -> dict[str, Any]:
    """Duplicates, updates, channels and the time span of the events kept.

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
        "updates": counts.updates,
        "conflicting_ids": counts.conflicting_ids,
        "resolved_again": counts.resolved_again,
        "events": int(str(rows or 0)) - counts.duplicates - counts.updates,
        "first_opened_at": first,
        "last_opened_at": last,
        "rows_by_channel": dict(channels),
    }


def describe_history(use_case: UseCase, source: Source) -> dict[str, Any]:
    """The thresholds of history, in days, and which of them the source sets otherwise than the use case.

    Args:
        use_case: as adjusted to the source.
        source: what may override thresholds.
    """
    overridden = list(source.history.model_dump(exclude_none=True))
    return {"history": use_case.history.model_dump() | {"overridden_by_source": overridden}}
