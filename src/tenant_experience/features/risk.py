"""What the list of an event that may happen soon is learned from: records at four moments of the past.

Each moment has the features of what was known then, and whether the event happened in the days until the next moment,
as it was known there. So a regression that learns from one moment can be used at the next without knowing its future.
"""

# ruff: noqa: S608 - names and timestamps in SQL come from validated settings, and the condition was checked
from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from tenant_experience.features.later_events import asking_condition, chosen_events, some_records
from tenant_experience.features.past import reaches_back
from tenant_experience.features.risk_examples import HAPPENED, risk_columns
from tenant_experience.features.sql import RISK_LOG, RISK_TABLES, drop_features, features_from_events
from tenant_experience.features.table import INSUFFICIENT
from tenant_experience.intake.duckdb_session import identifier, literal, sql_timestamp
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.intake.events import EVENTS_AS_READ, view_known
from tenant_experience.use_case.risk import CUT_OFFS, Risk
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source

_FEATURES, _EVENTS = RISK_TABLES


def write_risk_examples(
    engine: ProcessingEngine,
    use_case: UseCase,
    risk: Risk,
    source: Source,
    sql: str,
    as_of: datetime,
    path: Path,
    unknown: Collection[str] = (),
) -> str | None:
    """Writes the examples of all four moments, in order of record ids and moments.

    Of large logs, as many records are taken as have about two million events: more would cost time and say no more.

    Args:
        engine: holds the events. Afterwards, ``events`` is what was known at one of the moments.
        use_case: declares the columns.
        risk: of the use case.
        source: of the events.
        sql: ``features.sql``.
        as_of: the moment of the release.
        path: the file to write.
        unknown: features that are null for everybody.

    Returns:
        Why there is no file, in words; None when there is one.

    Raises:
        UserError: as ``features_from_events``.
    """
    is_log = source.kind == "events"
    if not is_log:  # what was known at an earlier moment may be left from the features of earlier periods
        view_known(engine, source, use_case, as_of)
    moments = risk.moments(as_of)
    days = max(use_case.history.minimum_days, risk.within)
    if not all(reaches_back(engine, use_case, as_of, [(moments[0], days)])):
        before = CUT_OFFS * risk.within + days
        return f"the log does not go back {before} days before {as_of:%Y-%m-%d}, which a fair comparison needs"
    is_log = source.kind == "events"
    chosen, log = some_records(engine, use_case, EVENTS_AS_READ if is_log else "events"), EVENTS_AS_READ
    if is_log and chosen:  # once, because the log is read many times
        engine.keep(RISK_LOG, f"SELECT * FROM {EVENTS_AS_READ} WHERE {chosen}")
        chosen, log = None, RISK_LOG
    for number, moment in enumerate(moments):
        view_known(engine, source, use_case, moment, chosen, log)
        table = f"{_FEATURES}_{number}"
        features_from_events(engine, use_case, sql, moment, table, train=False, unknown=unknown)
        until = moment + timedelta(days=risk.within)
        view_known(engine, source, use_case, until, chosen, log)
        found = chosen_events(use_case, risk.where, moment, until)
        with asking_condition("risk"):
            engine.fetch(f"{_EVENTS}_{number}", f"SELECT _record AS _happened_to FROM ({found}) GROUP BY _record")
    rows = " UNION ALL ".join(_examples(use_case, risk, moments))
    engine.connection.execute(
        f"COPY ({rows} ORDER BY {identifier(use_case.record_id)}, as_of) TO {literal(str(path))} "
        "(FORMAT parquet, COMPRESSION zstd)"
    )
    for number in range(CUT_OFFS):
        drop_features(engine.connection, f"{_FEATURES}_{number}")
        engine.connection.execute(f"DROP TABLE {_EVENTS}_{number}")
    return None


def _examples(use_case: UseCase, risk: Risk, moments: Collection[datetime]) -> Iterator[str]:
    record = identifier(use_case.record_id)
    columns = ", ".join(identifier(name) for name in risk_columns(risk, use_case))
    for number, moment in enumerate(moments):
        yield (
            f"SELECT {record}, {sql_timestamp(moment)} AT TIME ZONE 'UTC' AS as_of, "
            f"_happened_to IS NOT NULL AS {HAPPENED}, {columns} FROM {_FEATURES}_{number} "
            f"LEFT JOIN {_EVENTS}_{number} ON _happened_to = {record} WHERE history <> {literal(INSUFFICIENT)}"
        )
