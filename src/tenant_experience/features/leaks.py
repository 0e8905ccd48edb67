"""Features that read the future: found by taking the future away.

The features of a past moment are computed once over the whole log and once over what was known then. Where they differ,
``features.sql`` reads what happened at or after ``$as_of``: a model would learn from what it cannot know when it
answers.
"""

# ruff: noqa: S608 - names in SQL come from validated settings
from __future__ import annotations

from datetime import datetime

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.intake.duckdb_session import identifier, single
from tenant_experience.use_case.events import RECORDED_AT
from tenant_experience.use_case.schema import SQL_FILE, UseCase

# Sums of the same numbers in another order differ by less.
_TOLERANCE = 1e-9


def check_no_leak(
    connection: duckdb.DuckDBPyConnection,
    use_case: UseCase,
    known: str,
    whole: str,
    cut_off: datetime,
    *,
    is_recorded: bool = False,
) -> None:
    """Compares two tables of features of the same moment.

    Args:
        connection: holds both, and of each the records that were refused.
        use_case: names the columns.
        known: features from what was known before the cut-off.
        whole: features from the whole log.
        cut_off: the moment.
        is_recorded: whether rows say when they were recorded.

    Raises:
        UserError: ``reads_the_future``: names the column, how many records differ, and what to write.
    """
    record = identifier(use_case.record_id)
    columns = {
        str(name): str(kind)
        for name, kind, *_ in connection.execute(f"DESCRIBE {known}").fetchall()
        if name != use_case.record_id
    }
    differing = ", ".join(
        f"count(*) FILTER (k.{record} IS NOT NULL AND w.{record} IS NOT NULL AND {_differ(name, kind)})"
        for name, kind in columns.items()
    )
    refused = f"(SELECT record_id FROM {known}_refused UNION ALL SELECT record_id FROM {whole}_refused)"
    missing, *found, records = single(
        connection,
        f"SELECT count(*) FILTER ((k.{record} IS NULL OR w.{record} IS NULL) "
        f"AND coalesce(k.{record}, w.{record}) NOT IN {refused}), {differing}, count(*) "
        f"FROM {known} AS k FULL JOIN {whole} AS w ON k.{record} = w.{record}",
    )
    counts = {
        use_case.record_id: int(str(missing)),
        **dict(zip(columns, (int(str(each)) for each in found), strict=True)),
    }
    for name, rows in connection.execute(
        f"SELECT column_name, count(*) FROM {whole}_refused "
        f"WHERE record_id NOT IN (SELECT record_id FROM {known}_refused) GROUP BY 1"
    ).fetchall():
        counts[str(name)] += rows
    # Features first, because other columns often follow from them.
    ordered = [*use_case.features, use_case.record_id, *columns]
    leaking = [name for name in dict.fromkeys(ordered) if counts[name]]
    if leaking:
        message = _message(use_case, leaking, counts, int(str(records)), cut_off)
        recorded = f" and coalesce({RECORDED_AT} < $as_of, true) beside it" if is_recorded else ""
        raise UserError(message + recorded, code="reads_the_future")


def _differ(name: str, kind: str) -> str:
    known, whole = (f"{table}.{identifier(name)}" for table in "kw")
    if kind != "DOUBLE":
        return f"{known} IS DISTINCT FROM {whole}"
    near = f"abs({known} - {whole}) <= {_TOLERANCE} * greatest(abs({known}), abs({whole}))"
    return f"{known} IS DISTINCT FROM {whole} AND NOT coalesce({near}, false)"


def _message(use_case: UseCase, leaking: list[str], counts: dict[str, int], records: int, cut_off: datetime) -> str:
    declared, column = use_case.declared_events, leaking[0]
    what = "is there or not" if column == use_case.record_id else "differs"
    others = f" (and {', '.join(repr(name) for name in leaking[1:4])})" if leaking[1:] else ""
    following = "".join(
        f", and CASE WHEN {identifier(name)} < $as_of THEN {identifier(name)} END instead of {identifier(name)}"
        for name in declared.following[:1]
    )
    return (
        f"{SQL_FILE} reads the future: as of {cut_off:%Y-%m-%dT%H:%M:%SZ}, column {column!r}{others} of "
        f"{counts[column]} of {records} records {what} when what happened at or after that moment is taken out of the "
        f"events. A model may only learn from what was known: write WHERE {identifier(declared.time)} < $as_of "
        f"wherever {SQL_FILE} reads events{following}"
    )
