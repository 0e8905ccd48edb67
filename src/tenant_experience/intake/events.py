"""Communication events: from any export to one checked table, ``events``."""

# ruff: noqa: S608 - only our own column names enter the SQL
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tenant_experience.intake.duckdb_session import count, literal, utc_text
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.intake.files import RawFile
from tenant_experience.intake.quarantine import Rule, malformed
from tenant_experience.intake.staging import FileCount
from tenant_experience.tenant_id import LONGEST, NAME_PATTERN, PATTERN
from tenant_experience.use_case.source import OPTIONAL_EVENT_COLUMNS, REQUIRED_EVENT_COLUMNS, Source
from tenant_experience.use_case.source_expression import is_plain_column

EVENTS_BY_CHANNEL = "events_by_channel"
CHANNELS = ("call", "message", "email", "ticket", "maintenance_request", "work_order")
# Tickets and orders have no direction; a conversation always has one.
CONVERSATIONS = ("call", "message", "email")
DIRECTIONS = ("inbound", "outbound")
SENTIMENTS = ("positive", "neutral", "negative")

_COLUMNS = (*REQUIRED_EVENT_COLUMNS, *OPTIONAL_EVENT_COLUMNS)
_TIMES = ("opened_at", "first_response_at", "resolved_at", "tenancy_start_at", "tenancy_end_at", "recorded_at")
# A tenancy may end in the future.
_PAST_TIMES = ("opened_at", "first_response_at", "resolved_at", "recorded_at")
_CLOCKS_MAY_DIFFER = timedelta(days=1)
_FLAGS = ("answered", "escalated")
_WORDS = {"channel": CHANNELS, "direction": DIRECTIONS, "sentiment": SENTIMENTS}
# Outside these no time stamp is meant; infinity, which DuckDB reads as a time, is outside too.
_PLAUSIBLE = "BETWEEN TIMESTAMP '1900-01-01' AND TIMESTAMP '2200-01-01'"


@dataclass(frozen=True)
class EventCounts:
    """What a batch of events held.

    Attributes:
        files: each with its lines and refused lines.
        duplicates: rows dropped because their ``event_id`` had been seen, with the same ``recorded_at``.
        updates: rows dropped because another row of the same event has another ``recorded_at``.
        conflicting_ids: ids whose rows name different tenants, channels or opening times: perhaps not duplicates.
        resolved_again: ids with more than one resolution time.
    """

    files: list[FileCount]
    duplicates: int
    updates: int
    conflicting_ids: int
    resolved_again: int


def read_events(engine: ProcessingEngine, files: list[RawFile], source: Source, requested_at: datetime) -> EventCounts:
    """Fills the engine's view ``events``, and in its connection ``quarantine`` and ``events_by_channel``.

    ``events`` has the columns of the design's contract (times are UTC without zone), tenancy start and end,
    ``recorded_at``, and ``repeated``: whether other rows may have the same ``event_id`` (false: none has). Such rows
    all stay: which of them was the last word at ``as_of`` is for ``features.sql`` to say.

    Args:
        engine: empty.
        files: of one batch.
        source: how to map their columns.
        requested_at: UTC; what is said to have happened more than a day later is quarantined.

    Raises:
        UserError: a file cannot be read, or lacks a column; the message names both.
    """
    counts = engine.stage(files, source, _typed(source), _rules(source, requested_at))
    # By hash: twenty million ids are too many to hold as texts. Two ids that share one are told apart by features.sql.
    engine.keep(
        "repeated_hashes",
        "SELECT event_hash FROM staged WHERE broken_rule IS NULL GROUP BY event_hash HAVING count(*) > 1",
    )
    columns = ", ".join(_COLUMNS)
    # Few, and asked for more than once: kept, they need not be looked for among all rows again.
    engine.keep(
        "repeated_rows",
        f"SELECT {columns} FROM staged "
        "WHERE broken_rule IS NULL AND event_hash IN (SELECT event_hash FROM repeated_hashes)",
    )
    engine.view(
        "events",
        f"SELECT {columns}, false AS repeated FROM staged "
        "LEFT JOIN repeated_hashes ON repeated_hashes.event_hash = staged.event_hash "
        "WHERE broken_rule IS NULL AND repeated_hashes.event_hash IS NULL "
        f"UNION ALL SELECT {columns}, true AS repeated FROM repeated_rows",
    )
    engine.fetch(
        EVENTS_BY_CHANNEL,
        "SELECT channel, count(*) AS events, min(opened_at) AS first_opened_at, max(opened_at) AS last_opened_at "
        "FROM staged WHERE broken_rule IS NULL GROUP BY channel",
    )
    engine.fetch(
        "repetition",
        "SELECT sum(copies - states) AS duplicates, sum(states - 1) AS updates, "
        "count(CASE WHEN identities > 1 THEN 1 END) AS conflicting_ids, "
        "count(CASE WHEN resolutions > 1 THEN 1 END) AS resolved_again FROM ("
        "SELECT count(*) AS copies, count(DISTINCT resolved_at) AS resolutions, count(DISTINCT struct_pack("
        "tenant_id := tenant_id, channel := channel, opened_at := opened_at)) AS identities, "
        "count(DISTINCT recorded_at) + max(CASE WHEN recorded_at IS NULL THEN 1 ELSE 0 END) AS states "
        "FROM repeated_rows GROUP BY event_id)",
    )
    return EventCounts(
        counts,
        duplicates=count(engine.connection, "SELECT duplicates FROM repetition"),
        updates=count(engine.connection, "SELECT updates FROM repetition"),
        conflicting_ids=count(engine.connection, "SELECT conflicting_ids FROM repetition"),
        resolved_again=count(engine.connection, "SELECT resolved_again FROM repetition"),
    )


def _typed(source: Source) -> dict[str, str]:
    typed = {}
    for column in _COLUMNS:
        raw = f"raw_{column}" if column in source.columns else "NULL"
        text = f"nullif(trim(CAST({raw} AS VARCHAR)), '')"
        if column in source.columns and is_plain_column(source.columns[column]):
            # The text of a file comes trimmed. The type is known beforehand: no row asks for it.
            text = f"CASE WHEN typeof({raw}) = 'VARCHAR' THEN CAST({raw} AS VARCHAR) ELSE {text} END"
        if column in _TIMES:
            typed[column] = _time(raw, source.time_formats)
        elif column in _FLAGS:
            typed[column] = f"TRY_CAST({raw} AS BOOLEAN)"
        elif column in _WORDS:
            typed[column] = f"lower({text})"
        else:
            typed[column] = text
    typed["portfolio_id"] = f"coalesce({typed['portfolio_id']}, 'all')"
    typed["event_hash"] = f"CAST(hash({typed['event_id']}) >> 1 AS BIGINT)"  # no engine but DuckDB has UBIGINT
    return typed


def _time(raw: str, formats: list[str]) -> str:
    # A cast to TIMESTAMP would drop an offset silently; through TIMESTAMPTZ it counts.
    moment = f"TRY_CAST({raw} AS TIMESTAMPTZ)"
    if formats:
        texts = (f"TRY_CAST(try_strptime(CAST({raw} AS VARCHAR), {literal(text)}) AS TIMESTAMPTZ)" for text in formats)
        moment = f"CASE WHEN typeof({raw}) = 'VARCHAR' THEN coalesce({', '.join(texts)}) ELSE {moment} END"
    # As AT TIME ZONE 'UTC', without asking the calendar about each value; infinity becomes null.
    return f"make_timestamp(epoch_us({moment}))"


def _malformed_id(column: str) -> str:
    """The pattern is asked only about ids that are not plain: it costs three times what encoding an id does."""
    # Before '/' comes the dot. CASE, not AND: that asks the pattern first.
    plain = f"url_encode({column}) = {column} AND strlen({column}) <= {LONGEST} AND {column} > '/'"
    return f"CASE WHEN {plain} THEN false ELSE {malformed(column, PATTERN)} END"


def _rules(source: Source, requested_at: datetime) -> list[Rule]:
    latest = f"TIMESTAMP {literal(utc_text(requested_at + _CLOCKS_MAY_DIFFER))}"
    rules = [Rule("missing_value", column, f"{column} IS NULL") for column in ("event_id", "tenant_id")]
    rules += [Rule("malformed_id", column, _malformed_id(column)) for column in ("event_id", "tenant_id")]
    rules.append(Rule("malformed_portfolio", "portfolio_id", malformed("portfolio_id", NAME_PATTERN)))
    for column in _TIMES:
        if column in source.columns:
            broken = f"raw_{column} IS NOT NULL AND coalesce({column} NOT {_PLAUSIBLE}, true)"
            rules.append(Rule("unreadable_time", column, broken))
    rules += [Rule("future_time", column, f"{column} > {latest}") for column in _PAST_TIMES]
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
