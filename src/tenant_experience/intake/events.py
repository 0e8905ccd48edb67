"""Communication events: from the files of any export to one checked table, ``events``."""

# ruff: noqa: S608 - only our own column names enter the SQL
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tenant_experience.intake.duckdb_session import count, literal
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.mapping import (
    Meaning,
    RowMapping,
    Rule,
    malformed,
    malformed_id,
    malformed_name,
    normal_id,
    normalised,
)
from tenant_experience.intake.staging import FileCount
from tenant_experience.intake.times import latest_time, unreadable_time, utc_time
from tenant_experience.tenant_id import LONGEST, IdCase
from tenant_experience.use_case.events import EventColumns
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import OPTIONAL_EVENT_COLUMNS, REQUIRED_EVENT_COLUMNS, Source
from tenant_experience.use_case.source_expression import is_plain_column

EVENTS_BY_CHANNEL = "events_by_channel"

_COLUMNS = (*REQUIRED_EVENT_COLUMNS, *OPTIONAL_EVENT_COLUMNS)
_TIMES = ("opened_at", "first_response_at", "resolved_at", "tenancy_start_at", "tenancy_end_at", "recorded_at")
# A tenancy may end in the future.
_PAST_TIMES = ("opened_at", "first_response_at", "resolved_at", "recorded_at")
_FLAGS = ("answered", "escalated")
_IDS = ("event_id", "tenant_id", "portfolio_id")


def _local(moment: str) -> str:
    """SQL for what a clock shows at a moment in UTC, in the time zone of the source."""
    return f"CAST(timezone('UTC', {moment}) AS TIMESTAMP)"


def _first_reading(minutes: int) -> str:
    """SQL for the first of two times at which a clock showed ``opened_at``, when clocks go back by so many minutes."""
    return f"opened_at - INTERVAL {minutes} MINUTE"


# On the night when clocks go back, local times occur twice, and DuckDB takes the second. A ticket is not answered
# before it was opened: when the first time is possible and only then no duration is negative, it was opened then.
# Clocks go back by an hour, except on Lord Howe Island, and at Troll in Antarctica.
_GO_BACK_MINUTES = (60, 30, 120)
_HAS_NO_OFFSET = malformed("CAST(raw_opened_at AS VARCHAR)", r".*(Z|UTC|[+\-][0-9]{2}(:?[0-9]{2})?|/.*)")
_POSSIBLE_FIRST_READINGS = " ".join(
    f"WHEN least(first_response_at, resolved_at) >= {_first_reading(minutes)} "
    f"AND {_local(_first_reading(minutes))} = {_local('opened_at')} THEN {_first_reading(minutes)}"
    for minutes in _GO_BACK_MINUTES
)
# CASE in CASE, not AND: DuckDB would match the pattern first.
_OPENED_BEFORE_THE_REST = (
    "CASE WHEN first_response_at < opened_at OR resolved_at < opened_at THEN "
    f"CASE WHEN NOT {_HAS_NO_OFFSET} THEN opened_at {_POSSIBLE_FIRST_READINGS} ELSE opened_at END ELSE opened_at END"
)
_MEANINGS: dict[str, Meaning] = {
    **dict.fromkeys(_COLUMNS, "text"),
    **dict.fromkeys(_IDS, "id"),
    **dict.fromkeys(_TIMES, "time"),
    **dict.fromkeys(_FLAGS, "flag"),
}


@dataclass(frozen=True)
class EventCounts:
    """What a batch of events held.

    Attributes:
        files: how many lines each file has, and how many were quarantined.
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


def read_events(
    engine: ProcessingEngine,
    files: Sequence[RawFile],
    source: Source,
    use_case: UseCase,
    requested_at: datetime,
) -> EventCounts:
    """Fills the engine's view ``events``, and in its connection ``quarantine`` and ``events_by_channel``.

    ``events`` has the columns of the design's contract (times are UTC without zone), the start and end of the tenancy,
    ``recorded_at``, and ``repeated``: whether other rows may have the same ``event_id`` (false: none has). Such rows
    all stay: ``features.sql`` decides which of them was the last word at ``as_of``.

    Args:
        engine: empty.
        files: files of one batch.
        source: how to map their columns.
        use_case: says which channels and other values are allowed, and whether ids differ by case.
        requested_at: UTC; a row with a time more than a day later is quarantined.

    Raises:
        UserError: a file cannot be read, or lacks a column; the message names both.
    """
    declared = use_case.event_columns
    checks = _checks(source, declared, requested_at)
    plain = {_is_plain(column): _plain(_text(column, source), column) for column in _IDS}
    mapping = RowMapping(
        source, _typed(source, declared, use_case.record_id_case), tuple(checks), _MEANINGS, plain, _settled(source)
    )
    counts = engine.stage(files, mapping)
    # By hash: twenty million ids are too many to hold as texts. features.sql tells apart two ids that share a hash.
    engine.keep(
        "repeated_hashes",
        "SELECT event_hash FROM staged WHERE broken_rule IS NULL GROUP BY event_hash HAVING count(*) > 1",
    )
    columns = ", ".join(_COLUMNS)
    # These rows are few and read more than once: keeping them saves a search through all rows.
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


def _raw(column: str, source: Source) -> str:
    return f"raw_{column}" if column in source.columns else "NULL"


def _text(column: str, source: Source) -> str:
    raw = _raw(column, source)
    text = f"nullif(trim(CAST({raw} AS VARCHAR)), '')"
    if column in source.columns and is_plain_column(source.columns[column]):
        # The text of a file comes trimmed. DuckDB knows the type beforehand, so this costs nothing for each row.
        text = f"CASE WHEN typeof({raw}) = 'VARCHAR' THEN CAST({raw} AS VARCHAR) ELSE {text} END"
    return text


def _typed(source: Source, declared: EventColumns, case: IdCase) -> dict[str, str]:
    typed = {}
    for column in _COLUMNS:
        text = _text(column, source)
        if column in _TIMES:
            typed[column] = utc_time(_raw(column, source), source.time_formats)
        elif column in _FLAGS:
            typed[column] = _flag(_raw(column, source))
        elif column in declared.declared:
            typed[column] = f"lower({text})"
        elif column == "tenant_id" and case == "insensitive":
            typed[column] = f"nullif({normal_id(text, case)}, '')"
        elif column in _IDS:
            typed[column] = f"CASE WHEN {_is_plain(column)} THEN {text} ELSE nullif({normalised(text)}, '') END"
        else:
            typed[column] = text
    typed["portfolio_id"] = f"coalesce({typed['portfolio_id']}, 'all')"
    return typed


def _settled(source: Source) -> dict[str, str]:
    settled = {"event_hash": "CAST(hash(event_id) >> 1 AS BIGINT)"}  # hash gives a UBIGINT, which only DuckDB has
    if source.time_zone != "UTC":
        settled["opened_at"] = _OPENED_BEFORE_THE_REST
    return settled


def _flag(raw: str) -> str:
    """True, false, or null for what is neither: of numbers, only 0 and 1 are flags, with decimals or without."""
    text = f"CAST({raw} AS VARCHAR)"
    whole = (
        rf"CASE WHEN contains({text}, '.') THEN TRY_CAST(regexp_replace({text}, '^([01])\.0+$', '\1') AS BOOLEAN) END"
    )
    read = f"coalesce(TRY_CAST({text} AS BOOLEAN), {whole})"
    return f"CASE WHEN typeof({raw}) = 'BOOLEAN' THEN CAST({raw} AS BOOLEAN) ELSE {read} END"


def _is_plain(column: str) -> str:
    return f"{column}_is_plain"


def _plain(text: str, column: str) -> str:
    """SQL: whether an id or a name is in its normal form, and allowed. Patterns, which cost more, see only the others.

    What ``url_encode`` leaves as it is: ASCII letters and digits, hyphens, underscores, tildes and dots. Hyphens and
    dots sort before '/', digits before ':'. A number with decimals or in scientific notation has a dot.
    """
    encoded = f"url_encode({text})"
    if column == "portfolio_id":
        encoded = f"replace({encoded}, '%20', ' ')"
    is_no_number = f"{text} > ':' OR {text} > '/' AND NOT contains({text}, '.')"
    # What url_encode changes gets longer, and comparing lengths costs less than comparing texts.
    return f"CASE WHEN strlen({encoded}) = strlen({text}) THEN strlen({text}) <= {LONGEST} AND ({is_no_number}) END"


def _unless_plain(column: str, malformed: str) -> str:
    return f"CASE WHEN {_is_plain(column)} THEN false ELSE {malformed} END"


def _checks(source: Source, declared: EventColumns, requested_at: datetime) -> list[Rule]:
    latest = latest_time(requested_at)
    rules = [Rule("missing_value", column, f"{column} IS NULL") for column in ("event_id", "tenant_id")]
    rules += [
        Rule("malformed_id", column, _unless_plain(column, malformed_id(column)))
        for column in ("event_id", "tenant_id")
    ]
    is_no_name = _unless_plain("portfolio_id", malformed_name("portfolio_id"))
    rules.append(Rule("malformed_portfolio", "portfolio_id", is_no_name))
    for column in _TIMES:
        if column in source.columns:
            rules.append(Rule("unreadable_time", column, unreadable_time(column)))
    rules += [Rule("future_time", column, f"{column} > {latest}") for column in _PAST_TIMES]
    rules += [Rule("missing_value", column, f"{column} IS NULL") for column in ("opened_at", "channel")]
    columns = declared.declared.items()
    rules += [
        Rule(f"unknown_{name}", name, f"{name} IS NOT NULL AND NOT {_is_one_of(name, column.values)}")
        for name, column in columns
    ]
    rules += [
        Rule("missing_value", name, f"{name} IS NULL AND {_is_one_of('channel', column.required_for)}")
        for name, column in columns
        if column.required_for
    ]
    rules += [
        Rule("unreadable_flag", column, f"raw_{column} IS NOT NULL AND {column} IS NULL")
        for column in _FLAGS
        if column in source.columns
    ]
    rules += [
        Rule("negative_duration", column, f"{column} < opened_at") for column in ("first_response_at", "resolved_at")
    ]
    return rules


def _is_one_of(column: str, texts: Sequence[str]) -> str:
    """SQL: not IN, for which DuckDB would join each row with the list."""
    return f"({' OR '.join(f'{column} = {literal(text)}' for text in texts)})"
