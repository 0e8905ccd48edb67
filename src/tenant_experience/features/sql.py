"""Features, one row for each tenant: computed from events by ``features.sql``, or taken from a ready-made table."""

# ruff: noqa: S608 - names in SQL come from validated settings
from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from string import Template

import duckdb

from tenant_experience.data_layout import SIDE_COLUMNS
from tenant_experience.errors import UserError
from tenant_experience.features.partitions import PartitionSize
from tenant_experience.intake.duckdb_session import identifier, literal, utc_text
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.use_case.schema import SQL_FILE, USE_CASE_FILE, UseCase

FEATURES_TABLE = "features"
_NAMED = re.compile(r"CREATE\s+(?P<kind>VIEW|TABLE)\s+(?P<name>[a-z_][a-z0-9_]*)\s+AS\s", re.IGNORECASE)


def features_from_events(
    engine: ProcessingEngine, use_case: UseCase, sql: str, as_of: datetime, table: str = FEATURES_TABLE
) -> None:
    """Fills a table of the connection from the engine's view ``events``, as often as wanted, each time another one.

    Args:
        engine: holds ``events``.
        use_case: its history settings give the window and the thresholds.
        sql: ``features.sql``, in DuckDB's dialect: views and tables over ``events``, each CREATE ... AS SELECT, and at
            the end a SELECT. It may use ``$as_of`` and ``$window_start`` (timestamps), ``$minimum_days`` and
            ``$provisional_below``.
        as_of: what happens at or after this moment is not known yet.
        table: its name.

    Raises:
        UserError: ``invalid_use_case``: the SQL does not have this form, or lacks a column that the use case names.
    """
    history = use_case.history
    *named, answer = _statements(
        engine.connection,
        Template(sql).safe_substitute(
            as_of=sql_timestamp(as_of),
            window_start=sql_timestamp(as_of - timedelta(days=history.window_days)),
            minimum_days=history.minimum_days,
            provisional_below=history.provisional_below,
        ),
    )
    taken = {"events", table}
    for statement in named:
        found = _NAMED.search(statement)
        if found is None:
            raise UserError(
                f"{SQL_FILE}: every statement but the last must be CREATE VIEW or CREATE TABLE name AS SELECT: "
                f"{' '.join(statement.split())[:100]}",
                code="invalid_use_case",
            )
        if found["name"] in taken:
            raise UserError(
                f"{SQL_FILE} gives the name {found['name']!r} to a statement, but another one, or the events, have it "
                "already: choose a name for each",
                code="invalid_use_case",
            )
        taken.add(found["name"])
        create = engine.view if found["kind"].upper() == "VIEW" else engine.keep
        create(found["name"], statement[found.end() :])
    engine.fetch(table, answer)
    given = {name for name, *_ in engine.connection.execute(f"DESCRIBE {table}").fetchall()}
    wanted = (use_case.record_id, use_case.partition_column, *use_case.features, *label_columns(use_case))
    missing = [name for name in wanted if name not in given]
    if missing:
        raise UserError(
            f"{SQL_FILE} gives no column {missing[0]!r}, which {USE_CASE_FILE} names; it gives "
            f"{', '.join(sorted(given))}",
            code="invalid_use_case",
        )


def _statements(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    try:
        statements = [statement.query.strip().rstrip(";") for statement in connection.extract_statements(sql)]
    except duckdb.Error as error:
        raise UserError(f"{SQL_FILE} is not SQL: {error}", code="invalid_use_case") from error
    if not statements:
        raise UserError(f"{SQL_FILE} has no statement; it must end with a SELECT", code="invalid_use_case")
    return statements


def label_columns(use_case: UseCase) -> list[str]:
    """The column that labels come from, if they come from a column."""
    return [use_case.labels.column] if use_case.labels.column else []


def features_from_table(connection: duckdb.DuckDBPyConnection, use_case: UseCase, as_of: datetime) -> None:
    """Fills the table ``features`` from the view ``ready_made``. All history is taken to be sufficient.

    When labels come from a column, a model may only train on tenants that have a label.
    """
    columns = ", ".join((*use_case.features, *label_columns(use_case)))
    nulls = ", ".join(f"CAST(NULL AS DOUBLE) AS {name}" for name in SIDE_COLUMNS)
    known = " AND ".join(f"{name} IS NOT NULL" for name in label_columns(use_case)) or "true"
    connection.execute(
        f"CREATE TABLE {FEATURES_TABLE} AS SELECT {use_case.record_id}, {use_case.partition_column}, "
        f"{sql_timestamp(as_of)} AS as_of, 'sufficient' AS history, {known} AS may_train, "
        f"{columns}, {nulls} FROM ready_made"
    )


def place_tenants(
    connection: duckdb.DuckDBPyConnection, use_case: UseCase, partition_of: dict[str, PartitionSize]
) -> None:
    """Fills the table ``placed``: the partition that answers for each tenant of ``features``.

    Args:
        connection: holds ``features``.
        use_case: names the columns.
        partition_of: portfolio -> its partition, for every portfolio in ``features``.
    """
    connection.execute("CREATE TABLE partition_of (portfolio VARCHAR, partition VARCHAR, slug VARCHAR)")
    connection.executemany(
        "INSERT INTO partition_of VALUES ($1, $2, $3)",
        [[portfolio, partition.partition, partition.slug] for portfolio, partition in partition_of.items()],
    )
    connection.execute(
        f"CREATE TABLE placed AS SELECT {use_case.record_id}, partition, slug AS partition_slug "
        f"FROM {FEATURES_TABLE} JOIN partition_of ON portfolio = {use_case.partition_column}"
    )


def write_features(
    connection: duckdb.DuckDBPyConnection, use_case: UseCase, path: Path, table: str = FEATURES_TABLE
) -> None:
    """Writes ``features.parquet`` in the order of the record ids: the same input gives the same rows in the same order.

    Args:
        connection: holds the table, and ``placed``; tenants without a place are left out.
        use_case: names the columns.
        path: the file to write.
        table: holds the features.
    """
    columns = ", ".join((*use_case.features, *label_columns(use_case), *SIDE_COLUMNS))
    connection.execute(
        f"COPY (SELECT {use_case.record_id}, {use_case.partition_column}, partition, partition_slug, "
        f"as_of AT TIME ZONE 'UTC' AS as_of, history, may_train, {columns} "
        f"FROM {table} JOIN placed USING ({use_case.record_id}) "
        f"ORDER BY {use_case.record_id}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
    )


def sql_timestamp(moment: datetime) -> str:
    """A moment (with a zone) as SQL, in UTC."""
    return f"CAST({literal(utc_text(moment))} AS TIMESTAMP)"


def check_freshness(engine: ProcessingEngine, use_case: UseCase, as_of: datetime) -> None:
    """Refuses a log without events before ``as_of``, or with only older events than the gate ``freshness_days`` allows.

    Raises:
        UserError: ``no_events_before_as_of`` or ``stale_events``.
    """
    column = use_case.declared_events.time
    time = identifier(column)
    engine.fetch(
        "freshness",
        f"SELECT max(CASE WHEN {time} < {sql_timestamp(as_of)} THEN {time} END), min({time}) FROM events",
    )
    before, first = engine.connection.execute("FROM freshness").fetchone() or (None, None)
    if before is None:
        found = f"the first is of {first}" if first else "no row of the input became an event"
        hint = "set as_of in manifest.json to the day after the export" if first else "see why its rows were refused"
        raise UserError(
            f"no event happened before as_of {as_of:%Y-%m-%d %H:%M} UTC (column {column}); {found}: {hint}",
            code="no_events_before_as_of",
        )
    allowed = use_case.gates.freshness_days
    if allowed is not None and as_of.replace(tzinfo=None) - before > timedelta(days=allowed):
        raise UserError(
            f"the newest event (column {column}) is from {before:%Y-%m-%d %H:%M}, and as_of is {as_of:%Y-%m-%d %H:%M} "
            f"(both UTC); the gate freshness_days allows {allowed} between them: send a newer export, or set as_of in "
            "manifest.json to the day after this event",
            code="stale_events",
        )


def tenants_by_portfolio(connection: duckdb.DuckDBPyConnection, use_case: UseCase) -> dict[str, tuple[int, int]]:
    """Portfolio -> (tenants, tenants that may train), in order of their names."""
    rows = connection.execute(
        f"SELECT {use_case.partition_column}, count(*), count(*) FILTER (may_train) FROM {FEATURES_TABLE} "
        "GROUP BY ALL ORDER BY 1"
    ).fetchall()
    return {portfolio: (tenants, trainable) for portfolio, tenants, trainable in rows}
