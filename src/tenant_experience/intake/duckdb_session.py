"""A DuckDB connection with bounded memory that can read and write only the folders it is given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from tenant_experience.data_layout import ml_root

# The limit is on the memory that DuckDB counts; each thread needs its own. On two cores the process stays under 800 MB,
# with 20 million events as with two million (python -m bench.features).
MEBIBYTES_PER_THREAD = 128
_LEAST_THREADS_OF_ROOM = 2


def literal(text: str) -> str:
    """``text`` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def utc_text(moment: datetime) -> str:
    """``moment`` (with a zone) as ``yyyy-MM-dd HH:mm:ss.ffffff``, UTC, as SQL reads it."""
    if moment.utcoffset() != timedelta(0):
        raise ValueError(f"{moment!r} is not in UTC")
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def sql_timestamp(moment: datetime) -> str:
    """A moment (with a zone) as SQL, in UTC."""
    return f"CAST({literal(utc_text(moment))} AS TIMESTAMP)"


@contextmanager
def open_session(
    *folders: Path, time_zone: str = "UTC", threads: int | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A connection and its scratch folder; both are gone afterwards.

    Args:
        folders: what SQL may read and write beside the scratch folder. Nothing else, nor the network, can be reached,
            so an expression in a source file cannot read the machine on which it runs.
        time_zone: the zone of time stamps without an offset.
        threads: how many; None means one for each CPU.

    Yields:
        The connection and the scratch folder; what does not fit in memory spills there.
    """
    ml_root().mkdir(parents=True, exist_ok=True)
    threads = threads or len(os.sched_getaffinity(0))
    memory = MEBIBYTES_PER_THREAD * max(threads, _LEAST_THREADS_OF_ROOM)
    with TemporaryDirectory(prefix="scratch-", dir=ml_root()) as scratch:
        allowed = ", ".join(literal(f"{folder.resolve()}/") for folder in (*folders, Path(scratch)))
        connection = duckdb.connect(":memory:")
        try:
            for setting in (
                f"threads = {threads}",
                f"memory_limit = '{memory}MiB'",
                f"temp_directory = {literal(scratch + '/spill')}",
                # In DuckDB 2.0.0, common_subexpressions moves an expression that two columns share out of TRY, so that
                # one bad value would end the query; and statistics_propagation concludes from a Parquet file's minimum
                # and maximum that a column has no NaN.
                "disabled_optimizers = 'common_subexpressions,statistics_propagation'",
                f"GLOBAL TimeZone = {literal(time_zone)}",  # GLOBAL: cursors have it too
                f"allowed_directories = [{allowed}]",
                "enable_external_access = false",
                "lock_configuration = true",
            ):
                connection.execute(f"SET {setting}")
            yield connection, Path(scratch)
        finally:
            connection.close()


def single(connection: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> tuple[object, ...]:
    """The only row of ``query``."""
    # All rows are fetched: until then, the connection does no other work.
    rows: list[tuple[object, ...]] = connection.execute(query, list(parameters)).fetchall()
    if not rows:
        raise LookupError("the query returned no row")
    return rows[0]


def count(connection: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> int:
    """The only number of ``query``, a whole number; null counts as 0."""
    (value,) = single(connection, query, *parameters)
    return int(str(value or 0))
