"""Events: from the files of any export to one checked table, ``events``, in the columns that a use case declares."""

# ruff: noqa: S608 - names in SQL are quoted by duckdb_session
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tenant_experience.intake._event_columns import event_columns, event_mapping
from tenant_experience.intake.activities import view_cases
from tenant_experience.intake.duckdb_session import count, identifier, sql_timestamp
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.kept_events import KeptEvents
from tenant_experience.intake.staging import FileCount
from tenant_experience.use_case.events import DELETED, EVENT_ID, RECORDED_AT
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source

EVENTS_BY_KIND = "events_by_kind"
# All events of a log, while ``events`` is what was known of them at a moment.
EVENTS_AS_READ = "events_as_read"
# When events were deleted, and when they were there again.
DELETIONS = "deletions"


@dataclass(frozen=True)
class EventCounts:
    """What a batch of events held.

    Attributes:
        files: how many lines each file has, and how many were quarantined.
        duplicates: rows dropped because their ``event_id`` had been seen, with the same ``recorded_at``.
        updates: rows dropped because another row of the same event has another ``recorded_at``; of an activity log, all
            rows of a case but one.
        conflicting_ids: ids whose rows differ in ``identity_columns``: perhaps not duplicates.
        happened_again: column -> ids with more than one time in it, for the times that follow an event.
        identical_rows: rows that repeat another one in every column, where the source maps no ``event_id``: all count.
        identity_columns: the record id, the kind of an event where it has one, and the time at which it happened.
    """

    files: list[FileCount]
    duplicates: int
    updates: int
    conflicting_ids: int
    happened_again: dict[str, int]
    identical_rows: int
    identity_columns: list[str]


def read_events(
    engine: ProcessingEngine,
    files: Sequence[RawFile],
    source: Source,
    use_case: UseCase,
    requested_at: datetime,
    kept: KeptEvents | None = None,
) -> EventCounts:
    """Fills the engine's view ``events``, and in its connection ``quarantine`` and ``events_by_kind``.

    ``events`` has ``event_id``, the record id, the partition, the time of the event and the declared columns (times are
    UTC without zone), ``recorded_at``, and ``repeated``: whether other rows may have the same ``event_id`` (false: none
    has). Such rows all stay: ``features.sql`` decides which of them was the last word at ``as_of``. Where the source
    maps no ``event_id``, it is null, and every row is an event of its own. Of an activity log, ``events`` has one row
    for each case, and ``view_cases`` makes it again by what was known at another moment.

    Args:
        engine: empty.
        files: files of one batch.
        source: how to map their columns.
        use_case: says which columns and values events may have, and whether ids differ by case.
        requested_at: UTC; a row with a past time more than a day later is quarantined.
        kept: the events of earlier batches that count as well; None where those of this batch are all there are.

    Raises:
        UserError: a file cannot be read, or lacks a column; the message names both.
    """
    events = use_case.declared_events
    mapping = event_mapping(source, use_case, requested_at)
    counts = engine.stage(files, mapping)
    if kept is not None:
        engine.add_kept(kept, mapping)
    good = "broken_rule IS NULL"
    if DELETED in source.columns:
        _find_deletions(engine)
        good += f" AND NOT coalesce({DELETED}, false)"
    identity = [use_case.record_id, *([events.kind] if events.kind else []), events.time]
    kind = identifier(events.kind) if events.kind else "CAST(NULL AS VARCHAR)"
    is_log_of_cases = source.kind == "activities"
    if is_log_of_cases:
        view_cases(engine, source, use_case)
    happened, times = identifier(events.time), ""
    first, last = happened, happened
    if is_log_of_cases:  # an activity happens later than the case that it is about
        times = f" CROSS JOIN (SELECT min({happened}) AS first_case, max({happened}) AS last_case FROM events)"
        first, last = "first_case", "last_case"
    engine.fetch(
        EVENTS_BY_KIND,
        f"SELECT kind, count(*) AS events, min(first_at) AS first_event_at, max(last_at) AS last_event_at "
        f"FROM (SELECT {kind} AS kind, {first} AS first_at, {last} AS last_at FROM staged{times} "
        f"WHERE {good}) GROUP BY kind",
    )
    # By hash: twenty million ids are too many to hold as texts. features.sql tells apart two ids that share a hash.
    engine.keep(
        "repeated_hashes",
        f"SELECT event_hash, count(*) AS copies FROM staged WHERE {good} GROUP BY event_hash HAVING count(*) > 1",
    )
    columns = ", ".join(map(identifier, event_columns(use_case)))
    if is_log_of_cases:
        return _count_cases(engine, counts, use_case)
    if EVENT_ID not in source.columns:
        _view_events(engine, f"SELECT {columns}, false AS repeated FROM staged WHERE {good}")
        engine.fetch("repetition", "SELECT sum(copies - 1) AS identical_rows FROM repeated_hashes")
        identical = count(engine.connection, "SELECT identical_rows FROM repetition")
        return EventCounts(counts, 0, 0, 0, dict.fromkeys(events.following, 0), identical, identity)
    _find_repeated(engine, f"{'' if kept is None else 'DISTINCT '}{columns}", columns, good)
    return _count_repeated(engine, counts, events.following, identity)


def _count_cases(engine: ProcessingEngine, files: list[FileCount], use_case: UseCase) -> EventCounts:
    engine.fetch(
        "repetition",
        "SELECT sum(activities - 1) AS updates, count(CASE WHEN records > 1 THEN 1 END) AS conflicting_ids FROM ("
        f"SELECT count(*) AS activities, count(DISTINCT {identifier(use_case.record_id)}) AS records "
        f"FROM staged WHERE broken_rule IS NULL GROUP BY {EVENT_ID})",
    )
    return EventCounts(
        files,
        duplicates=0,
        updates=count(engine.connection, "SELECT updates FROM repetition"),
        conflicting_ids=count(engine.connection, "SELECT conflicting_ids FROM repetition"),
        happened_again={},
        identical_rows=0,
        identity_columns=[use_case.record_id],
    )


def _find_deletions(engine: ProcessingEngine) -> None:
    """Keeps when events were deleted, and when a later row brought them back; a row of that very moment does not."""
    engine.keep(
        DELETIONS,
        f"SELECT {EVENT_ID}, {RECORDED_AT} AS deleted_at, restored_at FROM (SELECT {EVENT_ID}, {RECORDED_AT}, gone, "
        f"lead({RECORDED_AT}) OVER (PARTITION BY {EVENT_ID} ORDER BY {RECORDED_AT} NULLS FIRST) AS restored_at FROM ("
        f"SELECT {EVENT_ID}, {RECORDED_AT}, max(CASE WHEN {DELETED} THEN 1 ELSE 0 END) AS gone FROM staged "
        f"WHERE broken_rule IS NULL AND {EVENT_ID} IN "
        f"(SELECT {EVENT_ID} FROM staged WHERE broken_rule IS NULL AND {DELETED}) "
        f"GROUP BY {EVENT_ID}, {RECORDED_AT})) WHERE gone = 1",
    )


def _is_there(source: Source, moment: datetime) -> str:
    """SQL: whether an event had not been deleted, as far as was known at a moment."""
    if DELETED not in source.columns:
        return "true"
    until = sql_timestamp(moment)
    return (
        f"{EVENT_ID} NOT IN (SELECT {EVENT_ID} FROM {DELETIONS} "
        f"WHERE deleted_at < {until} AND coalesce(restored_at >= {until}, true))"
    )


def _find_repeated(engine: ProcessingEngine, selected: str, columns: str, good: str) -> None:
    # These rows are few and read more than once: keeping them saves a search through all rows.
    engine.keep(
        "repeated_rows",
        f"SELECT {selected} FROM staged WHERE {good} AND event_hash IN (SELECT event_hash FROM repeated_hashes)",
    )
    _view_events(
        engine,
        f"SELECT {columns}, false AS repeated FROM staged "
        "LEFT JOIN (SELECT event_hash AS _repeated FROM repeated_hashes) ON _repeated = event_hash "
        f"WHERE {good} AND _repeated IS NULL "
        f"UNION ALL SELECT {columns}, true AS repeated FROM repeated_rows",
    )


def _view_events(engine: ProcessingEngine, sql: str) -> None:
    engine.view(EVENTS_AS_READ, sql)
    engine.view("events", f"SELECT * FROM {EVENTS_AS_READ}")


def columns_of_events(use_case: UseCase) -> list[str]:
    """The columns of ``events``, in order, but for ``repeated``."""
    return event_columns(use_case)


def view_all_events(engine: ProcessingEngine, source: Source, moment: datetime, chosen: str | None = None) -> None:
    """Makes ``events`` the whole log, as it was read, or the part of it for which the SQL ``chosen`` is true.

    Without the events that are known at ``moment`` (UTC) to be deleted.
    """
    engine.view("events", f"SELECT * FROM {EVENTS_AS_READ} WHERE {_is_there(source, moment)} AND {chosen or 'true'}")


def view_known(
    engine: ProcessingEngine,
    source: Source,
    use_case: UseCase,
    moment: datetime,
    chosen: str | None = None,
    log: str = EVENTS_AS_READ,
) -> None:
    """Makes ``events`` what was known at a moment: no event, row, activity or further time that is not before it.

    Args:
        engine: holds the events.
        source: of the events.
        use_case: declares the columns.
        moment: in UTC.
        chosen: SQL over an event; only where it is true. None: everywhere.
        log: what the engine calls the events, where they are not cases.
    """
    if source.kind == "activities":
        view_cases(engine, source, use_case, moment, chosen)
        return
    declared, until = use_case.declared_events, sql_timestamp(moment)
    columns = ", ".join(
        f"CASE WHEN {identifier(name)} < {until} THEN {identifier(name)} END AS {identifier(name)}"
        if name in declared.following
        else identifier(name)
        for name in event_columns(use_case)
    )
    engine.view(
        "events",
        f"SELECT {columns}, repeated FROM {log} "
        f"WHERE {identifier(declared.time)} < {until} AND coalesce({RECORDED_AT} < {until}, true) "
        f"AND {_is_there(source, moment)} AND {chosen or 'true'}",
    )


def _count_repeated(
    engine: ProcessingEngine, files: list[FileCount], following: Sequence[str], identity: list[str]
) -> EventCounts:
    parts = ", ".join(f"part_{place} := {identifier(name)}" for place, name in enumerate(identity))
    again = "".join(f", count(DISTINCT {identifier(name)}) AS times_{place}" for place, name in enumerate(following))
    counted = "".join(
        f", count(CASE WHEN times_{place} > 1 THEN 1 END) AS again_{place}" for place in range(len(following))
    )
    engine.fetch(
        "repetition",
        "SELECT sum(copies - states) AS duplicates, sum(states - 1) AS updates, "
        f"count(CASE WHEN identities > 1 THEN 1 END) AS conflicting_ids{counted} FROM ("
        f"SELECT count(*) AS copies{again}, count(DISTINCT struct_pack({parts})) AS identities, "
        f"count(DISTINCT {RECORDED_AT}) + max(CASE WHEN {RECORDED_AT} IS NULL THEN 1 ELSE 0 END) AS states "
        f"FROM repeated_rows GROUP BY {EVENT_ID})",
    )

    def counted_as(name: str) -> int:
        return count(engine.connection, f"SELECT {name} FROM repetition")

    return EventCounts(
        files,
        duplicates=counted_as("duplicates"),
        updates=counted_as("updates"),
        conflicting_ids=counted_as("conflicting_ids"),
        happened_again={name: counted_as(f"again_{place}") for place, name in enumerate(following)},
        identical_rows=0,
        identity_columns=identity,
    )
