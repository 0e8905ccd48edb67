"""The columns of events as SQL: how each is read from what a file says, and which values cost their row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tenant_experience.intake.duckdb_session import identifier, literal, utc_text
from tenant_experience.intake.mapping import (
    Meaning,
    RowMapping,
    Rule,
    malformed,
    malformed_id,
    malformed_name,
)
from tenant_experience.intake.times import latest_time, unreadable_time, utc_time
from tenant_experience.tenant_id import FLAG_PATTERN, LONGEST
from tenant_experience.use_case.events import DELETED, EVENT_ID, RECORDED_AT, ColumnType, EventColumn, Events
from tenant_experience.use_case.id_sql import normal_id, normalised
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source
from tenant_experience.use_case.source_expression import is_plain_column

_MEANINGS: dict[ColumnType, Meaning] = {
    "text": "text",
    "category": "text",
    "number": "number",
    "integer": "number",
    "boolean": "flag",
    "time": "time",
}
# On the night when clocks go back, local times occur twice, and DuckDB takes the second. A ticket is not answered
# before it was opened: when the first time is possible and only then no duration is negative, it was opened then.
# Clocks go back by an hour, except on Lord Howe Island, and at Troll in Antarctica.
_GO_BACK_MINUTES = (60, 30, 120)
# The reason for quarantine when a value cannot be read as the type.
_UNREADABLE: dict[ColumnType, str] = {
    "number": "not_a_number",
    "integer": "not_an_integer",
    "boolean": "unreadable_flag",
}


def event_columns(use_case: UseCase) -> list[str]:
    """The columns of ``events``, in order, but for ``repeated``."""
    events = use_case.declared_events
    return [EVENT_ID, use_case.record_id, use_case.partition_column, events.time, *events.columns, RECORDED_AT]


def event_mapping(source: Source, use_case: UseCase, requested_at: datetime) -> RowMapping:
    """How a row of a file becomes an event.

    Args:
        source: how its columns are read from those of the file.
        use_case: what they are.
        requested_at: UTC; a past time more than a day later costs its row.
    """
    events = use_case.declared_events
    ids = (EVENT_ID, use_case.record_id, use_case.partition_column)
    plain = {_is_plain(name): _plain(_text(name, source), spaces=name == use_case.partition_column) for name in ids}
    return RowMapping(
        source,
        _typed(source, use_case),
        tuple(_checks(source, use_case, requested_at)),
        {
            **dict.fromkeys(ids, "id"),
            **dict.fromkeys((events.time, RECORDED_AT), "time"),
            **({DELETED: "flag"} if DELETED in source.columns else {}),
            **{name: _MEANINGS[column.type] for name, column in events.columns.items()},
        },
        plain,
        _settled(source, use_case),
        may_be_absent=frozenset(events.following),
    )


def _typed(source: Source, use_case: UseCase) -> dict[str, str]:
    record_id, partition, events = use_case.record_id, use_case.partition_column, use_case.declared_events
    typed = {name: _id(name, source) for name in (EVENT_ID, record_id, partition)}
    if use_case.record_id_case == "insensitive":
        typed[record_id] = f"nullif({normal_id(_text(record_id, source), 'insensitive')}, '')"
    typed[partition] = f"coalesce({typed[partition]}, 'all')"
    for name in (events.time, RECORDED_AT):
        typed[name] = utc_time(_raw(name, source), source.time_formats)
    typed |= {name: _value(name, column, source) for name, column in events.columns.items()}
    return typed | ({DELETED: _flag(_raw(DELETED, source))} if DELETED in source.columns else {})


def _value(name: str, column: EventColumn, source: Source) -> str:
    raw = _raw(name, source)
    match column.type:
        case "time":
            return utc_time(raw, source.time_formats)
        case "boolean":
            return _flag(raw)
        case "number":
            return f"TRY_CAST({raw} AS DOUBLE)"
        case "integer":
            # A cast to BIGINT would round. A decimal has room for the digits of a long number, and a double has not.
            return f"CASE WHEN TRY_CAST({raw} AS DECIMAL(38, 10)) % 1 = 0 THEN TRY_CAST({raw} AS BIGINT) END"
        case "text":
            return _text(name, source)
        case "category":
            return _category(_text(name, source), column.values)


def _category(text: str, values: Sequence[str] | None) -> str:
    if values is None:
        return f"nullif({normalised(text)}, '')"
    if all(_is_simple(value) for value in values):
        return f"lower({text})"
    meant = normalised(text)
    cases = " ".join(f"WHEN lower({literal(value)}) THEN {literal(value)}" for value in values)
    return f"CASE lower({meant}) {cases} ELSE {meant} END"


def _is_simple(value: str) -> bool:
    return value.isascii() and value.replace("_", "").isalpha() and value == value.lower()


def _settled(source: Source, use_case: UseCase) -> dict[str, str]:
    # hash gives a UBIGINT, which only DuckDB has. Without an id of events, all that is known of a row is hashed.
    hashed = [EVENT_ID] if EVENT_ID in source.columns else event_columns(use_case)
    settled = {"event_hash": f"CAST(hash({', '.join(map(identifier, hashed))}) >> 1 AS BIGINT)"}
    events = use_case.declared_events
    if source.time_zone != "UTC" and events.following:
        settled[events.time] = _before_what_follows(events)
    return settled


def _before_what_follows(events: Events) -> str:
    """SQL for the time of an event that happened in an hour that clocks show twice."""
    time, following = identifier(events.time), [identifier(name) for name in events.following]
    has_no_offset = malformed(f"CAST(raw_{events.time} AS VARCHAR)", r".*(Z|UTC|[+\-][0-9]{2}(:?[0-9]{2})?|/.*)")
    readings = [f"{time} - INTERVAL {minutes} MINUTE" for minutes in _GO_BACK_MINUTES]
    earlier = " ".join(
        f"WHEN least({', '.join(following)}) >= {first} AND {_local(first)} = {_local(time)} THEN {first}"
        for first in readings
    )
    is_too_late = " OR ".join(f"{name} < {time}" for name in following)
    # CASE in CASE, not AND: DuckDB would match the pattern first.
    return (
        f"CASE WHEN {is_too_late} THEN CASE WHEN NOT {has_no_offset} THEN {time} {earlier} ELSE {time} END "
        f"ELSE {time} END"
    )


def _local(moment: str) -> str:
    """SQL for what a clock shows at a moment in UTC, in the time zone of the source."""
    return f"CAST(timezone('UTC', {moment}) AS TIMESTAMP)"


def _raw(column: str, source: Source) -> str:
    return f"raw_{column}" if column in source.columns else "NULL"


def _text(column: str, source: Source) -> str:
    raw = _raw(column, source)
    text = f"nullif(trim(CAST({raw} AS VARCHAR)), '')"
    if column in source.columns and is_plain_column(source.columns[column]):
        # The text of a file comes trimmed. DuckDB knows the type beforehand, so this costs nothing for each row.
        text = f"CASE WHEN typeof({raw}) = 'VARCHAR' THEN CAST({raw} AS VARCHAR) ELSE {text} END"
    return text


def _id(column: str, source: Source) -> str:
    text = _text(column, source)
    return f"CASE WHEN {_is_plain(column)} THEN {text} ELSE nullif({normalised(text)}, '') END"


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


def _plain(text: str, *, spaces: bool) -> str:
    """SQL: whether an id or a name is in its normal form, and allowed. Patterns, which cost more, see only the others.

    What ``url_encode`` leaves as it is: ASCII letters and digits, hyphens, underscores, tildes and dots. Hyphens and
    dots sort before '/', digits before ':'. A number with decimals or in scientific notation has a dot.
    """
    encoded = f"url_encode({text})"
    if spaces:
        encoded = f"replace({encoded}, '%20', ' ')"
    is_no_number = f"{text} > ':' OR {text} > '/' AND NOT contains({text}, '.')"
    # What url_encode changes gets longer, and comparing lengths costs less than comparing texts.
    # A flag has 4 or 5 letters, which costs less to see than to compare.
    is_no_flag = f"NOT (strlen({text}) IN (4, 5) AND regexp_full_match({text}, {literal(FLAG_PATTERN)}))"
    plain = f"strlen({text}) <= {LONGEST} AND ({is_no_number}) AND {is_no_flag}"
    return f"CASE WHEN strlen({encoded}) = strlen({text}) THEN {plain} END"


def _unless_plain(column: str, malformed: str) -> str:
    return f"CASE WHEN {_is_plain(column)} THEN false ELSE {malformed} END"


def _checks(source: Source, use_case: UseCase, requested_at: datetime) -> list[Rule]:
    """The rules in the order in which they are checked: a row is refused for the first that it breaks."""
    record_id, partition, events = use_case.record_id, use_case.partition_column, use_case.declared_events
    ids = [name for name in (EVENT_ID, record_id) if name in source.columns]
    words, times = events.of_type("text", "category"), [events.time, *events.of_type("time"), RECORDED_AT]
    others = events.of_type("number", "integer", "boolean")
    rules = [Rule("missing_value", name, f"{identifier(name)} IS NULL") for name in ids]
    rules += [Rule("malformed_id", name, _unless_plain(name, malformed_id(identifier(name)))) for name in ids]
    rules.append(
        Rule("malformed_portfolio", partition, _unless_plain(partition, malformed_name(identifier(partition))))
    )
    rules += [Rule("unreadable_time", name, unreadable_time(name)) for name in times if name in source.columns]
    past = [events.time, *events.following, RECORDED_AT]
    rules += [Rule("future_time", name, f"{identifier(name)} > {latest_time(requested_at)}") for name in past]
    rules.append(Rule("missing_value", events.time, f"{identifier(events.time)} IS NULL"))
    rules += _missing_in_all(words, events)
    rules += [_unknown(name, column.values) for name, column in words.items() if column.type == "category"]
    rules += _missing_in_some(words, events)
    rules += [
        Rule(_UNREADABLE[column.type], name, f"raw_{name} IS NOT NULL AND {identifier(name)} IS NULL")
        for name, column in others.items()
        if name in source.columns
    ]
    rest = others | events.of_type("time")
    rules += [*_missing_in_all(rest, events), *_missing_in_some(rest, events)]
    rules += [
        Rule("out_of_range", name, outside) for name, column in rest.items() if (outside := _outside(name, column))
    ]
    if DELETED in source.columns:
        rules.append(Rule("unreadable_flag", DELETED, f"raw_{DELETED} IS NOT NULL AND {DELETED} IS NULL"))
        rules.append(Rule("missing_value", RECORDED_AT, f"{DELETED} AND {RECORDED_AT} IS NULL"))
    if source.kind == "activities":
        return rules  # the row of one activity does not say when the case began
    time = identifier(events.time)
    return rules + [Rule("negative_duration", name, f"{identifier(name)} < {time}") for name in events.following]


def _missing_in_all(columns: dict[str, EventColumn], events: Events) -> list[Rule]:
    required = [name for name in columns if events.is_required(name)]
    return [Rule("missing_value", name, f"{identifier(name)} IS NULL") for name in required]


def _missing_in_some(columns: dict[str, EventColumn], events: Events) -> list[Rule]:
    if events.kind is None:
        return []
    values = events.columns[events.kind].values or ()
    spelled = {value.lower(): value for value in values}
    return [
        Rule(
            "missing_value",
            name,
            f"{identifier(name)} IS NULL AND "
            + _is_one_of(events.kind, [spelled[kind.lower()] for kind in column.required_for]),
        )
        for name, column in columns.items()
        if column.required_for
    ]


def _unknown(name: str, values: Sequence[str] | None) -> Rule:
    if values is None:
        return Rule("malformed_category", name, malformed_name(identifier(name)))
    return Rule(f"unknown_{name}", name, f"{identifier(name)} IS NOT NULL AND NOT {_is_one_of(name, values)}")


def _outside(name: str, column: EventColumn) -> str:
    column_name = identifier(name)
    tests = [f"NOT isfinite({column_name})"] if column.type == "number" else []
    for bound, comparison in ((column.minimum, "<"), (column.maximum, ">")):
        if bound is not None:
            value = f"TIMESTAMP {literal(utc_text(bound))}" if isinstance(bound, datetime) else repr(bound)
            tests.append(f"{column_name} {comparison} {value}")
    return " OR ".join(tests)


def _is_one_of(column: str, texts: Sequence[str]) -> str:
    """SQL: not IN, for which DuckDB would join each row with the list."""
    return f"({' OR '.join(f'{identifier(column)} = {literal(text)}' for text in texts)})"
