"""What came in, what was refused and why, for ``data_quality.json``; counts only, no rows."""

# ruff: noqa: S608 - names in SQL are constants

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from tenant_experience.intake.duckdb_session import single
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.intake.events import EVENTS_BY_KIND, EventCounts
from tenant_experience.intake.kept_events import IS_NEW, KeptEvents
from tenant_experience.intake.staging import FileCount
from tenant_experience.use_case.events import Events
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source

# The parameters that the thresholds come in by, and the column that they are compared with.
_ASKS_FOR_HISTORY = re.compile(r"\$(window_start|minimum_days|provisional_below)\b|\bexposure_days\b", re.IGNORECASE)


@dataclass(frozen=True)
class RefusalReason:
    """Rows refused for one reason: the column (None for the row as a whole), how many, and the first of them."""

    reason: str
    column: str | None
    rows: int
    first_file: str
    first_line: int


@dataclass(frozen=True)
class IntakeFigures:
    """The rows read.

    Attributes:
        rows: read in all.
        quarantined: refused.
        filtered: passed over by the source's filter.
        quarantined_share: share refused of the rows that the filter did not pass over.
        quarantined_by_reason: the most common reason first.
        files: the same counts for each file.
        skipped: the files that were not read, because their names begin with ``.`` or ``_``.
    """

    rows: int
    quarantined: int
    filtered: int
    quarantined_share: float
    quarantined_by_reason: list[RefusalReason]
    files: list[FileCount]
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class EventFigures:
    """The events kept.

    Attributes:
        duplicates_dropped: rows that repeat another row.
        updates: rows that update an earlier event.
        conflicting_ids: ids that stand for different events.
        happened_again: column -> events with more than one time in it, for the times that follow an event.
        identical_rows: rows that repeat another one, where the source maps no ``event_id``; each counts as an event.
        events: those that count.
        first_event_at: UTC; None without an event.
        last_event_at: UTC; None without an event.
        rows_by_kind: the number of rows of each kind; empty where all events are of one kind.
        time_column: the use case's name of the time of an event.
        kind_column: its name of the kind of an event; None where all events are of one kind.
        identity_columns: the columns in which the rows of one event must agree.
    """

    duplicates_dropped: int
    updates: int
    conflicting_ids: int
    happened_again: dict[str, int]
    identical_rows: int
    events: int
    first_event_at: str | None
    last_event_at: str | None
    rows_by_kind: dict[str, int]
    time_column: str
    kind_column: str | None
    identity_columns: list[str]


@dataclass(frozen=True)
class HistoryThresholds:
    """The thresholds of history, in days, and the names of those that the source sets instead of the use case."""

    window_days: int
    minimum_days: int
    provisional_below: int
    overridden_by_source: list[str]


@dataclass(frozen=True)
class MonthOfEvents:
    """The rows of events of one month, such as ``2026-11``, and how many of them are of this batch."""

    month: str
    rows: int
    new: int


@dataclass(frozen=True)
class KeptFigures:
    """Where the events come from, when batches add up.

    Attributes:
        since: the first month that counts.
        batches: how many earlier batches have events that count.
        too_old: rows of this batch that are older, and are left out.
        months: the rows of each month, by the time of the event or, where that is later, of its recording.
    """

    since: str
    batches: int
    too_old: int
    months: list[MonthOfEvents]


def describe_kept(engine: ProcessingEngine, kept: KeptEvents, read: int) -> KeptFigures:
    """Counts the events of each month.

    Args:
        engine: holds ``staged``.
        kept: of earlier batches.
        read: how many good rows this batch has.
    """
    engine.fetch(
        "kept_by_month",
        f"SELECT {kept.month} AS month, count(*) AS found, count(CASE WHEN {IS_NEW} THEN 1 END) AS new "
        f"FROM staged GROUP BY {kept.month}",
    )
    rows = engine.connection.execute("SELECT month, found, new FROM kept_by_month ORDER BY 1").fetchall()
    months = [MonthOfEvents(f"{month // 100:04}-{month % 100:02}", found, new) for month, found, new in rows]
    return KeptFigures(f"{kept.since:%Y-%m}", kept.batches, read - sum(each.new for each in months), months)


def describe_intake(
    connection: duckdb.DuckDBPyConnection, files: Sequence[FileCount], skipped: Sequence[str] = ()
) -> IntakeFigures:
    """Counts the rows read, refused and passed over: in all, for each file, and for each reason.

    Args:
        connection: holds ``quarantine``.
        files: the counts of each file.
        skipped: the files that were not read.
    """
    rows, quarantined = sum(file.rows for file in files), sum(file.quarantined for file in files)
    filtered = sum(file.filtered for file in files)
    reasons = connection.execute(
        "SELECT reason, column_name, CAST(sum(lines) AS BIGINT) AS n, arg_min(file, row(file, line)), "
        "arg_min(line, row(file, line)) FROM (SELECT * EXCLUDE (lines), "
        "CASE WHEN reason IN ('unterminated_quote', 'line_too_long') THEN lines ELSE 1 END AS lines FROM quarantine) "
        "GROUP BY ALL ORDER BY n DESC, reason, column_name"
    ).fetchall()
    return IntakeFigures(
        rows=rows,
        quarantined=quarantined,
        filtered=filtered,
        quarantined_share=quarantined / (rows - filtered) if rows > filtered else 0.0,
        quarantined_by_reason=[RefusalReason(*reason) for reason in reasons],
        files=list(files),
        skipped=list(skipped),
    )


def describe_events(connection: duckdb.DuckDBPyConnection, counts: EventCounts, declared: Events) -> EventFigures:
    """Counts the duplicates, updates and kinds of the events kept, and finds their time span.

    Args:
        connection: holds ``events_by_kind``.
        counts: from reading the events.
        declared: what the use case calls their columns.
    """
    first, last, rows = single(
        connection,
        "SELECT CAST(min(first_event_at) AS VARCHAR), CAST(max(last_event_at) AS VARCHAR), "
        f"CAST(sum(events) AS BIGINT) FROM {EVENTS_BY_KIND}",
    )
    kinds = connection.execute(
        f"SELECT kind, events FROM {EVENTS_BY_KIND} WHERE kind IS NOT NULL ORDER BY 1"
    ).fetchall()
    return EventFigures(
        duplicates_dropped=counts.duplicates,
        updates=counts.updates,
        conflicting_ids=counts.conflicting_ids,
        happened_again=counts.happened_again,
        identical_rows=counts.identical_rows,
        events=int(str(rows or 0)) - counts.duplicates - counts.updates,
        first_event_at=None if first is None else str(first),
        last_event_at=None if last is None else str(last),
        rows_by_kind=dict(kinds),
        time_column=declared.time,
        kind_column=declared.kind,
        identity_columns=counts.identity_columns,
    )


def describe_history(use_case: UseCase, source: Source, sql: str) -> HistoryThresholds | None:
    """The thresholds that hold; None where ``features.sql`` asks for none of them and gives no exposure.

    Args:
        use_case: adjusted to the source.
        source: may override thresholds.
        sql: ``features.sql``.
    """
    if _ASKS_FOR_HISTORY.search(sql) is None:
        return None
    overridden = list(source.history.model_dump(exclude_none=True))
    return HistoryThresholds(**use_case.history.model_dump(), overridden_by_source=overridden)
