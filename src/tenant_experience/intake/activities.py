"""Activity logs: many rows about one case (a ticket, an order) become one event, by what was known at a moment."""

# ruff: noqa: S608 - names in SQL are quoted by duckdb_session
from __future__ import annotations

from datetime import datetime

from tenant_experience.intake._event_columns import event_columns
from tenant_experience.intake.duckdb_session import identifier, sql_timestamp
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.use_case.events import EVENT_ID, RECORDED_AT, Combination
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source


def view_cases(
    engine: ProcessingEngine,
    source: Source,
    use_case: UseCase,
    as_of: datetime | None = None,
    chosen: str | None = None,
) -> None:
    """Makes ``events`` of the rows of an activity log: one for each case, from the activities before ``as_of``.

    The order of the rows, the files that they are in and a second copy of a row make no difference.

    Args:
        engine: holds ``staged``, the rows.
        source: says how the rows of a case are combined.
        use_case: declares the columns.
        as_of: what happens at or after this moment is not known yet; None: everything is.
        chosen: SQL over an event; only where it is true. None: everywhere.
    """
    declared = use_case.declared_events
    combined = {name: _combined(name, source.combined(name, use_case)) for name in event_columns(use_case)}
    combined[EVENT_ID] = EVENT_ID
    combined[declared.time] = f"min({identifier(declared.time)})"
    combined[RECORDED_AT] = "CAST(NULL AS TIMESTAMP)"
    known = "" if as_of is None else f" AND {RECORDED_AT} < {sql_timestamp(as_of)}"
    selected = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in combined.items())
    engine.view(
        "events",
        f"SELECT * FROM (SELECT {selected}, false AS repeated FROM staged WHERE broken_rule IS NULL{known} "
        f"GROUP BY {EVENT_ID}) WHERE {chosen or 'true'}",
    )


def _combined(name: str, how: Combination) -> str:
    column = identifier(name)
    if how == "any":
        return f"max({column})"
    # Of several values at one moment, the greatest counts, whatever the order of the rows. A null does not count.
    moment = f"CASE WHEN {column} IS NOT NULL THEN struct_pack(moment := {RECORDED_AT}, value := {column}) END"
    return f"{'max' if how == 'last' else 'min'}_by({column}, {moment})"
