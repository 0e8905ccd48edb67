"""Features, one row for each tenant: computed from events by ``features.sql``, or taken from a ready-made table."""

# ruff: noqa: S608 - names in SQL come from validated settings
from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from tenant_experience.data_layout import CENSORED, EXAMPLE_ID, GLOBAL_PARTITION, SIDE_COLUMNS, partition_slug
from tenant_experience.errors import UserError
from tenant_experience.features.contract import (
    EXAMPLES_TABLE,
    RefusedFeatures,
    label_columns,
    settle_examples,
    settle_features,
)
from tenant_experience.features.partitions import PartitionSize
from tenant_experience.features.statements import Statement, parse_statements
from tenant_experience.intake.duckdb_session import count, identifier, literal, sql_timestamp
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.intake.events import EVENTS_AS_READ, EVENTS_BY_KIND
from tenant_experience.use_case.events import RECORDED_AT
from tenant_experience.use_case.risk import CUT_OFFS
from tenant_experience.use_case.schema import SQL_FILE, UseCase

FEATURES_TABLE = "features"
_COMPUTED = "computed_features"
# Tables with these names and a number are made for labels from later events.
LATER_TABLES = ("later_events", "known_features", "whole_features")
# Likewise for the list of risk.
RISK_TABLES = ("risk_features", "risk_events")
RISK_LOG = "risk_log"
# The features of one earlier period at a time.
PAST_TABLE = "past_features"
# What else the session of a release calls tables, before features.sql is run or afterwards.
_OTHER_TABLES = (
    *("events", EVENTS_AS_READ, EVENTS_BY_KIND, "staged", "quarantine"),
    *("read_now", "deletions", "kept_by_month"),
    *("repeated_hashes", "repeated_rows", "repetition", "counted_events", "freshness", "reach"),
    *("partition_of", "placed", "previous_features", "previous_examples"),
)


def features_from_events(
    engine: ProcessingEngine,
    use_case: UseCase,
    sql: str,
    as_of: datetime,
    table: str = FEATURES_TABLE,
    *,
    train: bool = True,
    unknown: Collection[str] = (),
) -> RefusedFeatures:
    """Fills a table of the connection from the engine's view ``events``, as often as wanted, each time another one.

    Args:
        engine: holds ``events``.
        use_case: its history settings give the window and the thresholds.
        sql: ``features.sql``, in DuckDB's dialect: views and tables over ``events``, each CREATE ... AS SELECT, and at
            the end a SELECT. It may use ``$as_of`` and ``$window_start`` (timestamps), ``$minimum_days`` and
            ``$provisional_below``.
        as_of: what happens at or after this moment is not known yet.
        table: its name. ``<table>_refused`` has the rows that were refused.
        train: whether labels matter; they are null otherwise.
        unknown: features that are null for everybody, because what they are computed from is not known.

    Returns:
        How many rows of the result were refused.

    Raises:
        UserError: ``invalid_use_case`` or ``invalid_features``: the SQL, or its result, is not what
            docs/use_cases.md says.
    """
    *named, answer = statements(sql, use_case, as_of, table)
    for statement in named:
        create = engine.view if statement.kind == "VIEW" else engine.keep
        with _named_errors(statement):
            create(str(statement.name), statement.sql)
    with _named_errors(answer):
        engine.fetch(_COMPUTED, answer.sql)
    return settle_features(engine.connection, use_case, _COMPUTED, as_of, table, train=train, unknown=unknown)


def drop_features(connection: duckdb.DuckDBPyConnection, *tables: str) -> None:
    """Drops tables that ``features_from_events`` filled."""
    for table in tables:
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"DROP TABLE {table}_refused")


def statements(sql: str, use_case: UseCase, as_of: datetime, table: str = FEATURES_TABLE) -> list[Statement]:
    """The statements of ``features.sql`` with the values of this release.

    Raises:
        UserError: ``invalid_use_case``: one of them may not be there.
    """
    history = use_case.history
    values = {
        "as_of": sql_timestamp(as_of),
        "window_start": sql_timestamp(as_of - timedelta(days=history.window_days)),
        "minimum_days": str(history.minimum_days),
        "provisional_below": str(history.provisional_below),
    }
    return parse_statements(sql, values, {table, *taken_names(use_case)})


def taken_names(use_case: UseCase) -> frozenset[str]:
    """What no view or table of ``features.sql`` may be called, because this application calls one of its own so."""
    numbered = [f"{name}_{number}" for name in LATER_TABLES for number in range(use_case.labels.cut_offs + 1)]
    of_risk = [f"{name}_{number}" for name in RISK_TABLES for number in range(CUT_OFFS)]
    features = [FEATURES_TABLE, PAST_TABLE, *LATER_TABLES, *numbered, *of_risk]
    refused = [f"{name}_refused" for name in features]
    return frozenset((*features, *refused, _COMPUTED, EXAMPLES_TABLE, RISK_LOG, *_OTHER_TABLES))


@contextmanager
def _named_errors(statement: Statement) -> Iterator[None]:
    """Names the file and the line. What a value was is not said: it may be about a person."""
    where = f"{SQL_FILE}: the statement whose SELECT begins in line {statement.line}"
    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
        raise UserError(
            f"{where} cannot be run: {str(error).split(chr(10) * 2)[0]}", code="invalid_use_case"
        ) from error
    except (duckdb.DataError, duckdb.InvalidInputException) as error:
        kind = str(error).split(":")[0]
        raise UserError(
            f"{where} fails at a value ({kind}): use TRY_CAST where a text may not be what it should be, and nullif "
            "where a denominator may be 0",
            code="invalid_use_case",
        ) from error
    except UserError as error:
        if error.code != "invalid_sql":
            raise
        raise UserError(f"{where}: {error.message}", code="invalid_use_case") from error


def features_from_table(connection: duckdb.DuckDBPyConnection, use_case: UseCase, as_of: datetime) -> None:
    """Fills the table ``features`` from the view ``ready_made``. All history is taken to be sufficient.

    When labels come from a column, a model may only train on tenants that have a label. Where the table has several
    rows for a record, ``examples`` has those with a label, and ``features`` the latest of each.

    Raises:
        UserError: ``invalid_features``: rows are of a time after ``as_of``.
    """
    columns = ", ".join(map(identifier, (*use_case.features, *label_columns(use_case), *use_case.kept_columns)))
    nulls = ", ".join(f"CAST(NULL AS DOUBLE) AS {name}" for name in SIDE_COLUMNS)
    known = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in label_columns(use_case)) or "true"
    several = use_case.examples == "several"
    time = "as_of" if several else f"{sql_timestamp(as_of)} AS as_of"
    rows = (
        f"SELECT {_identity(use_case)}, {time}, 'sufficient' AS history, {known} AS may_train, {columns}, {nulls} "
        "FROM ready_made"
    )
    if not several:
        connection.execute(f"CREATE TABLE {FEATURES_TABLE} AS {rows}")
        return
    later = count(connection, f"SELECT count(*) FROM ready_made WHERE as_of > {sql_timestamp(as_of)}")
    if later:
        raise UserError(
            f"{later} rows have a time (column as_of of the source) after as_of of this release, {as_of:%Y-%m-%d} "
            f"{as_of:%H:%M} UTC: set as_of in manifest.json to the day after the last row, or leave those rows out "
            "with where in the source",
            code="invalid_features",
        )
    settle_examples(connection, use_case, rows, FEATURES_TABLE)


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
    rows = [[portfolio, partition.partition, partition.slug] for portfolio, partition in partition_of.items()]
    if rows:  # DuckDB refuses an empty list
        connection.executemany("INSERT INTO partition_of VALUES ($1, $2, $3)", rows)
    connection.execute(
        f"CREATE TABLE placed AS SELECT given.{identifier(use_case.record_id)}, partition_of.partition, "
        f"partition_of.slug AS partition_slug FROM {FEATURES_TABLE} AS given JOIN partition_of "
        f"ON partition_of.portfolio = given.{identifier(use_case.partition_column)}"
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
    connection.execute(
        f"COPY (SELECT {_identity(use_case)}, partition, partition_slug, {_figures(use_case)} "
        f"FROM {table} JOIN placed USING ({identifier(use_case.record_id)}) "
        f"ORDER BY {identifier(use_case.record_id)}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
    )


def has_examples(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a record may have several rows to learn from."""
    return bool(count(connection, f"SELECT count(*) FROM duckdb_tables() WHERE table_name = {literal(EXAMPLES_TABLE)}"))


def rows_to_learn_from(connection: duckdb.DuckDBPyConnection) -> str:
    """The table that models learn from."""
    return EXAMPLES_TABLE if has_examples(connection) else FEATURES_TABLE


def write_examples(connection: duckdb.DuckDBPyConnection, use_case: UseCase, path: Path) -> None:
    """Writes ``examples.parquet`` from the table ``examples``, in the order of record ids and times.

    Args:
        connection: holds the table, and ``partition_of``. Rows of a portfolio for which no tenant has features now
            belong to the global model.
        use_case: names the columns.
        path: the file to write.
    """
    portfolio, everyone = identifier(use_case.partition_column), GLOBAL_PARTITION
    # No column of a use case can have these names.
    places = "SELECT portfolio AS _portfolio, partition, slug AS partition_slug FROM partition_of"
    whole = "strftime(as_of, '%Y-%m-%dT%H:%M:%S')"
    fraction = "CASE WHEN microsecond(as_of) % 1000000 = 0 THEN '' ELSE strftime(as_of, '.%f') END"
    connection.execute(
        f"COPY (SELECT {_identity(use_case)}, coalesce(partition, {literal(everyone)}) AS partition, "
        f"coalesce(partition_slug, {literal(partition_slug(everyone))}) AS partition_slug, {_figures(use_case)}, "
        f"{f'{CENSORED}, ' if use_case.labels.horizon_days else ''}"
        f"{identifier(use_case.record_id)} || '@' || {whole} || {fraction} || 'Z' AS {EXAMPLE_ID} "
        f"FROM {EXAMPLES_TABLE} LEFT JOIN ({places}) ON _portfolio = {portfolio} "
        f"ORDER BY {identifier(use_case.record_id)}, as_of) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
    )


def _figures(use_case: UseCase) -> str:
    names = (*use_case.features, *label_columns(use_case), *use_case.kept_columns, *SIDE_COLUMNS)
    return f"as_of AT TIME ZONE 'UTC' AS as_of, history, may_train, {', '.join(map(identifier, names))}"


def _identity(use_case: UseCase) -> str:
    return f"{identifier(use_case.record_id)}, {identifier(use_case.partition_column)}"


def check_freshness(engine: ProcessingEngine, use_case: UseCase, as_of: datetime, *, has_cases: bool = False) -> None:
    """Refuses a log without events before ``as_of``, or with only older events than the gate ``freshness_days`` allows.

    Args:
        engine: holds ``events``, and ``staged`` where they are cases of an activity log.
        use_case: its gate, and the names of its columns.
        as_of: what happens at or after this moment is not known yet.
        has_cases: whether events are cases of an activity log. A case may have begun before ``as_of`` without any row
            that was recorded by then.

    Raises:
        UserError: ``no_events_before_as_of`` or ``stale_events``.
    """
    column = use_case.declared_events.time
    if has_cases:
        _newest_before(engine, "staged WHERE broken_rule IS NULL", RECORDED_AT, "activity", as_of)
    before = _newest_before(engine, "events", column, "event", as_of)
    allowed = use_case.gates.freshness_days
    if allowed is not None and as_of.replace(tzinfo=None) - before > timedelta(days=allowed):
        raise UserError(
            f"the newest event (column {column}) is from {before:%Y-%m-%d %H:%M}, and as_of is {as_of:%Y-%m-%d %H:%M} "
            f"(both UTC); the gate freshness_days allows {allowed} between them: send a newer export, or set as_of in "
            "manifest.json to the day after this event",
            code="stale_events",
        )


def _newest_before(engine: ProcessingEngine, rows: str, column: str, what: str, as_of: datetime) -> datetime:
    """The newest time in a column before ``as_of``.

    Raises:
        UserError: ``no_events_before_as_of``.
    """
    time = identifier(column)
    engine.fetch(
        "freshness", f"SELECT max(CASE WHEN {time} < {sql_timestamp(as_of)} THEN {time} END), min({time}) FROM {rows}"
    )
    before, first = engine.connection.execute("FROM freshness").fetchone() or (None, None)
    if isinstance(before, datetime):
        return before
    found = f"the first is of {first}" if first else f"no row of the input became an {what}"
    hint = "set as_of in manifest.json to the day after the export" if first else "see why its rows were refused"
    raise UserError(
        f"no {what} happened before as_of {as_of:%Y-%m-%d %H:%M} UTC (column {column}); {found}: {hint}",
        code="no_events_before_as_of",
    )


def tenants_by_portfolio(connection: duckdb.DuckDBPyConnection, use_case: UseCase) -> dict[str, tuple[int, int]]:
    """Portfolio -> (tenants, tenants that may train), in order of their names. A tenant of several rows counts once.

    A tenant with rows in several portfolios may train in each of them: see ``tenants_that_may_train``.
    """
    portfolio, record_id = identifier(use_case.partition_column), identifier(use_case.record_id)
    rows = connection.execute(
        f"SELECT {portfolio}, count(*), count(*) FILTER (may_train) FROM {FEATURES_TABLE} GROUP BY ALL ORDER BY 1"
    ).fetchall()
    found = {name: (tenants, trainable) for name, tenants, trainable in rows}
    if not has_examples(connection):
        return found
    trainable = dict(
        connection.execute(
            f"SELECT {portfolio}, count(DISTINCT {record_id}) FILTER (may_train) FROM {EXAMPLES_TABLE} GROUP BY 1"
        ).fetchall()
    )
    return {name: (tenants, trainable.get(name, 0)) for name, (tenants, _) in found.items()}


def tenants_that_may_train(connection: duckdb.DuckDBPyConnection, use_case: UseCase) -> int:
    """How many tenants may train, in all portfolios together: each once, in however many of them its rows are."""
    record_id, rows = identifier(use_case.record_id), rows_to_learn_from(connection)
    return count(connection, f"SELECT count(DISTINCT {record_id}) FILTER (may_train) FROM {rows}")
