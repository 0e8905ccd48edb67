"""Communication events: from any export to one checked table, ``events``."""

from __future__ import annotations

from dataclasses import dataclass

from tenant_experience.duckdb_session import count
from tenant_experience.processing_engine import ProcessingEngine
from tenant_experience.raw_files import RawFile
from tenant_experience.raw_quarantine import Rule
from tenant_experience.raw_staging import FileCount
from tenant_experience.source import OPTIONAL_EVENT_COLUMNS, REQUIRED_EVENT_COLUMNS, Source

EVENTS_BY_CHANNEL = "events_by_channel"
CHANNELS = ("call", "message", "email", "ticket", "maintenance_request", "work_order")
# Tickets and orders have no direction; a conversation always has one.
CONVERSATIONS = ("call", "message", "email")
DIRECTIONS = ("inbound", "outbound")
SENTIMENTS = ("positive", "neutral", "negative")

_COLUMNS = (*REQUIRED_EVENT_COLUMNS, *OPTIONAL_EVENT_COLUMNS)
_TIMES = ("opened_at", "first_response_at", "resolved_at", "tenancy_start_at", "tenancy_end_at")
_FLAGS = ("answered", "escalated")
_WORDS = {"channel": CHANNELS, "direction": DIRECTIONS, "sentiment": SENTIMENTS}
# Outside these no time stamp is meant; infinity, which DuckDB reads as a time, is outside too.
_PLAUSIBLE = "BETWEEN TIMESTAMP '1900-01-01' AND TIMESTAMP '2200-01-01'"


@dataclass(frozen=True)
class EventCounts:
    """What a batch of events held.

    Attributes:
        files: each with its lines and refused lines.
        duplicates: rows dropped because their ``event_id`` had been seen.
        conflicting_ids: ids whose rows name different tenants, channels or opening times: perhaps not duplicates.
        resolved_again: ids with more than one resolution time.
    """

    files: list[FileCount]
    duplicates: int
    conflicting_ids: int
    resolved_again: int


def read_events(engine: ProcessingEngine, files: list[RawFile], source: Source) -> EventCounts:
    """Fills the engine's view ``events``, and in its connection ``quarantine`` and ``events_by_channel``.

    ``events`` has the columns of the design's contract (times are UTC without zone), tenancy start and end, and
    ``repeated``: whether other rows have the same ``event_id``. Such rows all stay: which of them was the last word
    at ``as_of`` is for ``features.sql`` to say.

    Raises:
        UserError: a file cannot be read, or lacks a column; the message names both.
    """
    counts = engine.stage(files, source, _typed(source), _rules(source))
    engine.keep(
        "repeated_ids",
        "SELECT event_id, copies, count(DISTINCT resolved_at) AS resolutions, count(DISTINCT struct_pack("
        "tenant_id := tenant_id, channel := channel, opened_at := opened_at)) AS identities FROM staged JOIN "
        "(SELECT event_id, count(*) AS copies FROM staged WHERE broken_rule IS NULL GROUP BY 1 HAVING count(*) > 1) "
        "USING (event_id) WHERE broken_rule IS NULL GROUP BY ALL",
    )
    engine.view(
        "events",
        "SELECT staged.* EXCLUDE (file, broken_rule), repeated_ids.event_id IS NOT NULL AS repeated "
        "FROM staged LEFT JOIN repeated_ids ON repeated_ids.event_id = staged.event_id WHERE broken_rule IS NULL",
    )
    engine.fetch(
        EVENTS_BY_CHANNEL,
        "SELECT channel, count(*) AS events, min(opened_at) AS first_opened_at, max(opened_at) AS last_opened_at "
        "FROM events GROUP BY channel",
    )
    engine.fetch(
        "repetition",
        "SELECT sum(copies - 1) AS duplicates, count(CASE WHEN identities > 1 THEN 1 END) AS conflicting_ids, "
        "count(CASE WHEN resolutions > 1 THEN 1 END) AS resolved_again FROM repeated_ids",
    )
    return EventCounts(
        counts,
        duplicates=count(engine.connection, "SELECT duplicates FROM repetition"),
        conflicting_ids=count(engine.connection, "SELECT conflicting_ids FROM repetition"),
        resolved_again=count(engine.connection, "SELECT resolved_again FROM repetition"),
    )


def _typed(source: Source) -> dict[str, str]:
    typed = {}
    for column in _COLUMNS:
        raw = f"raw_{column}" if column in source.columns else "NULL"
        text = f"nullif(trim(CAST({raw} AS VARCHAR)), '')"
        if column in _TIMES:
            # A cast to TIMESTAMP would drop an offset silently; through TIMESTAMPTZ it counts.
            typed[column] = f"TRY_CAST({raw} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
        elif column in _FLAGS:
            typed[column] = f"TRY_CAST({raw} AS BOOLEAN)"
        elif column in _WORDS:
            typed[column] = f"lower({text})"
        else:
            typed[column] = text
    typed["portfolio_id"] = f"coalesce({typed['portfolio_id']}, 'all')"
    return typed


def _rules(source: Source) -> list[Rule]:
    rules = [Rule("missing_value", column, f"{column} IS NULL") for column in ("event_id", "tenant_id")]
    for column in _TIMES:
        if column in source.columns:
            broken = f"raw_{column} IS NOT NULL AND coalesce({column} NOT {_PLAUSIBLE}, true)"
            rules.append(Rule("unreadable_time", column, broken))
    rules += [Rule("missing_value", column, f"{column} IS NULL") for column in ("opened_at", "channel")]
    rules += [Rule(f"unknown_{column}", column, f"{column} NOT IN {allowed}") for column, allowed in _WORDS.items()]
    rules.append(Rule("missing_value", "direction", f"direction IS NULL AND channel IN {CONVERSATIONS}"))
    rules += [
        Rule("unreadable_flag", column, f"raw_{column} IS NOT NULL AND {column} IS NULL")
        for column in _FLAGS
        if column in source.columns
    ]
    rules += [
        Rule("negative_duration", column, f"{column} < opened_at") for column in ("first_response_at", "resolved_at")
    ]
    return rules
