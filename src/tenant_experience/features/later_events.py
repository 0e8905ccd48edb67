"""Labels from later events: what happened to a record after a moment of the past, the cut-off.

A label looks at ``[cut-off, cut-off + window)``, and features at what was known before the cut-off, so an event at the
very moment of a cut-off belongs to the label. The number of days until an event is counted as far as the log goes,
beyond the window too: a record without such an event is censored when the log ends (decision 34).
"""

# ruff: noqa: S608 - names and timestamps in SQL come from validated settings, and the condition was checked
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from tenant_experience.data_layout import CENSORED
from tenant_experience.errors import UserError
from tenant_experience.features.contract import EXAMPLES_TABLE
from tenant_experience.features.leaks import check_no_leak
from tenant_experience.features.sql import LATER_TABLES, drop_features, features_from_events
from tenant_experience.features.statements import condition_fault
from tenant_experience.intake.activities import view_cases
from tenant_experience.intake.duckdb_session import count, identifier, literal, sql_timestamp
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.intake.events import EVENTS_AS_READ, columns_of_events, view_all_events, view_known
from tenant_experience.settings_file import line_of
from tenant_experience.use_case.events import EVENT_ID, RECORDED_AT
from tenant_experience.use_case.schema import USE_CASE_FILE, UseCase
from tenant_experience.use_case.source import Source

_SQL_TYPES = {"number": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN", "time": "TIMESTAMP"}
_MICROSECONDS_OF_A_DAY = 86_400_000_000.0
_CHOSEN, _KNOWN, _WHOLE = LATER_TABLES
# With more events, only some of the records are asked whether their features read the future.
MOST_EVENTS_COMPARED = 2_000_000
# A value that is impossible because it reads the future is to be compared, and not refused.
_NO_BOUNDS = {"minimum": None, "maximum": None}


def check_condition(use_case: UseCase, folder: Path) -> None:
    """Refuses ``labels.where`` and ``risk.where`` unless true or false of one event, whenever they are asked.

    Args:
        use_case: declares the columns of an event.
        folder: of its files.

    Raises:
        UserError: ``invalid_use_case``; says what to write.
    """
    conditions = {"labels": use_case.labels.where, "risk": use_case.risk.where if use_case.risk else None}
    for key, condition in conditions.items():
        if condition is None or use_case.events is None:
            continue
        fault = condition_fault(condition, columns_of_events(use_case)) or _fault_of_types(condition, use_case)
        if fault:
            line = line_of(folder / USE_CASE_FILE, key, "where")
            raise UserError(f"{USE_CASE_FILE}: line {line}: key '{key}.where': {fault}", code="invalid_use_case")


def _fault_of_types(condition: str, use_case: UseCase) -> str | None:
    """The caller raises: a traceback must not keep the cursor alive."""
    declared = use_case.declared_events
    times = (declared.time, RECORDED_AT)
    kinds = {name: "TIMESTAMP" if name in times else "VARCHAR" for name in columns_of_events(use_case)}
    kinds |= {name: _SQL_TYPES.get(column.type, "VARCHAR") for name, column in declared.columns.items()}
    nothing = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in kinds.items())
    with duckdb.connect() as connection:
        try:
            found = connection.execute(
                f"SELECT (\n{condition}\n) FROM (SELECT {nothing}) WHERE (\n{condition}\n)"
            ).description
        except duckdb.Error as error:
            return f"cannot be asked of an event: {str(error).splitlines()[0]}"
    kind = str(found[0][1])
    if kind.upper() not in ("BOOLEAN", "BOOL"):
        return f"must be true or false of an event, and is {kind}: write a comparison, such as quantity > 0"
    return None


@contextmanager
def asking_condition(key: str) -> Iterator[None]:
    """Names a condition that fails at the value of an event. What the value was is not said: it may be about a person.

    Args:
        key: whose ``where`` is asked: ``labels`` or ``risk``.

    Raises:
        UserError: ``invalid_use_case``.
    """
    try:
        yield
    except (duckdb.DataError, duckdb.InvalidInputException) as error:
        raise UserError(
            f"{USE_CASE_FILE}: key '{key}.where' fails at a value of an event ({str(error).split(':')[0]}): use "
            "TRY_CAST where a text may not be what it should be",
            code="invalid_use_case",
        ) from error


def examples_from_events(
    engine: ProcessingEngine,
    use_case: UseCase,
    source: Source,
    sql: str,
    as_of: datetime,
    *,
    unknown: Collection[str] = (),
) -> None:
    """Fills the connection's table ``examples``: the features of each cut-off, with what happened afterwards.

    Features are computed from what was known at the cut-off and nothing else, so that no example can know its label.
    ``view_known`` says what was known. Of events that are no cases, a ``features.sql`` that would give other
    features of a cut-off when it saw the whole log is refused: all records are asked or, when there are more than
    ``MOST_EVENTS_COMPARED`` events, as many (chosen by a hash of the id) as have about so many events.

    Args:
        engine: holds ``events`` as they are known at ``as_of``; afterwards, too.
        use_case: ``labels.from: events``.
        source: of the events.
        sql: ``features.sql``.
        as_of: the moment of the release.
        unknown: features that are null for everybody, because what they are computed from is not known.

    Raises:
        UserError: as ``features_from_events``, or ``reads_the_future``.
    """
    connection, is_log = engine.connection, source.kind == "events"
    happened = _fetch_later_events(engine, use_case, as_of)
    chosen = some_records(engine, use_case, EVENTS_AS_READ) if is_log else None
    rows = []
    for number, (cut_off, later) in enumerate(happened.items()):
        known = f"{_KNOWN}_{number}"
        view_known(engine, source, use_case, cut_off)
        features_from_events(engine, use_case, sql, cut_off, known, unknown=unknown)
        if is_log:
            _check_cut_off(engine, source, use_case, sql, cut_off, known, chosen, unknown)
        rows.append(_labelled(known, later, use_case, cut_off, as_of))
    connection.execute(f"CREATE TABLE {EXAMPLES_TABLE} AS {' UNION ALL '.join(rows)}")
    for number, later in enumerate(happened.values()):
        drop_features(connection, f"{_KNOWN}_{number}")
        connection.execute(f"DROP TABLE {later}")
    if is_log:
        view_all_events(engine, source, as_of)
    else:
        view_cases(engine, source, use_case, as_of)


def some_records(engine: ProcessingEngine, use_case: UseCase, events: str) -> str | None:
    """SQL that is true of as many records as have ``MOST_EVENTS_COMPARED`` events; None when these are all.

    Args:
        engine: holds the events.
        use_case: names the column of ids.
        events: the view that has them.
    """
    engine.fetch("counted_events", f"SELECT count(*) FROM {events}")
    found = count(engine.connection, "FROM counted_events")
    engine.connection.execute("DROP TABLE counted_events")
    if found <= MOST_EVENTS_COMPARED:
        return None
    first = int(MOST_EVENTS_COMPARED / found * 16**8)
    return f"substr(md5({identifier(use_case.record_id)}), 1, 8) < {literal(f'{first:08x}')}"


def _check_cut_off(
    engine: ProcessingEngine,
    source: Source,
    use_case: UseCase,
    sql: str,
    cut_off: datetime,
    known: str,
    chosen: str | None,
    unknown: Collection[str],
) -> None:
    """Compares the features of what was known with those of the whole log, of all records or of the chosen ones."""
    views: dict[str, Callable[[], None]] = {
        f"{_WHOLE}_0": lambda: view_all_events(engine, source, cut_off, chosen),
        f"{_WHOLE}_1": lambda: view_known(engine, source, use_case, cut_off, chosen),
    }
    if chosen is None:
        views.popitem()
    features = {name: each.model_copy(update=_NO_BOUNDS) for name, each in use_case.features.items()}
    unbounded = use_case.model_copy(update={"features": features})
    for table, view in views.items():
        view()
        features_from_events(engine, unbounded, sql, cut_off, table, unknown=unknown)
    compared = known if chosen is None else f"{_WHOLE}_1"
    is_recorded = RECORDED_AT in source.columns
    check_no_leak(engine.connection, use_case, compared, f"{_WHOLE}_0", cut_off, is_recorded=is_recorded)
    drop_features(engine.connection, *views)


def _fetch_later_events(engine: ProcessingEngine, use_case: UseCase, as_of: datetime) -> dict[datetime, str]:
    """Finds, for each cut-off, the first such event of each record from then on.

    Args:
        engine: holds ``events`` as they are known at ``as_of``.
        use_case: ``labels.from: events``.
        as_of: what happens at or after this moment is not known yet.

    Returns:
        Cut-off -> the table of the connection that has ``_record``, its id, and ``_happened_at``; the latest first. No
        column of a use case can have these names.
    """
    cut_offs = use_case.labels.moments(as_of)
    with asking_condition("labels"):
        engine.keep(_CHOSEN, chosen_events(use_case, use_case.labels.where or "true", min(cut_offs), as_of))
    found = {}
    for number, cut_off in enumerate(cut_offs):
        found[cut_off] = f"{_CHOSEN}_{number}"
        engine.fetch(
            found[cut_off],
            f"SELECT _record, min(_happened_at) AS _happened_at FROM {_CHOSEN} "
            f"WHERE _happened_at >= {sql_timestamp(cut_off)} GROUP BY _record",
        )
    return found


def chosen_events(use_case: UseCase, where: str, begin: datetime, end: datetime) -> str:
    """SQL of the ``_record`` and ``_happened_at`` of each event that fulfils a condition, as it is known at ``end``.

    Args:
        use_case: declares the columns.
        where: the condition, which was checked.
        begin: an event at this moment or later counts.
        end: an event at this moment or later does not, and nothing that was recorded then is known.
    """
    columns, time = columns_of_events(use_case), use_case.declared_events.time
    listed = ", ".join(map(identifier, columns))
    # Of several rows of one event, the last word counts; what follows the time of recording only breaks ties.
    order = ", ".join(f"{identifier(name)} NULLS LAST" for name in columns if name not in (EVENT_ID, RECORDED_AT))
    known = f"coalesce({RECORDED_AT} < {sql_timestamp(end)}, true)"
    return (
        # The condition is a column of its own, because a parenthesis in it must not change what else is asked.
        f"SELECT _record, _happened_at FROM (SELECT {identifier(use_case.record_id)} AS _record, "
        f"{identifier(time)} AS _happened_at, (\n{where}\n) AS _chosen FROM ("
        f"SELECT {listed} FROM events WHERE NOT repeated AND {known} UNION ALL "
        f"SELECT {listed} FROM (SELECT {listed}, row_number() OVER (PARTITION BY {EVENT_ID} "
        f"ORDER BY {RECORDED_AT} DESC NULLS LAST, {order}) AS _copy FROM events WHERE repeated AND {known}) "
        f"WHERE _copy = 1)) WHERE _chosen AND _happened_at >= {sql_timestamp(begin)} "
        f"AND _happened_at < {sql_timestamp(end)}"
    )


def _labelled(table: str, happened: str, use_case: UseCase, cut_off: datetime, as_of: datetime) -> str:
    """SQL of the records of one cut-off that may train, with the label and ``censored``, and the cut-off as ``as_of``.

    Args:
        table: of the connection: the features of that cut-off.
        happened: of the connection, from ``_fetch_later_events``.
        use_case: ``labels.from: events``.
        cut_off: the moment of the features.
        as_of: the end of what is known of the label.
    """
    labels, start = use_case.labels, sql_timestamp(cut_off)
    record = identifier(use_case.record_id)
    if labels.classes:
        end = sql_timestamp(cut_off + timedelta(days=labels.window or 0))
        negative, positive = map(literal, labels.classes)
        label, censored = f"CASE WHEN _happened_at < {end} THEN {positive} ELSE {negative} END", "false"
    else:
        until = f"date_diff('microsecond', {start}, coalesce(_happened_at, {sql_timestamp(as_of)}))"
        label, censored = f"{until} / {_MICROSECONDS_OF_A_DAY}", "_happened_at IS NULL"
    return (
        f"SELECT given.* REPLACE ({start} AS as_of, {label} AS {identifier(str(labels.column))}), "
        f"{censored} AS {CENSORED} FROM {table} AS given LEFT JOIN {happened} ON _record = given.{record} "
        "WHERE may_train"
    )
