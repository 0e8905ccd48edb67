"""Refused rows: the reason, the file, the line, and the values of the columns that we read (no other text).

Line numbers count the physical lines of the file from 1, header included; blank lines between rows are not counted.
"""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session, files go by our own link names
from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import duckdb

from tenant_experience.intake.duckdb_session import count, literal
from tenant_experience.intake.mapping import FILTERED, SWALLOWED_ROWS, Rule
from tenant_experience.intake.scan import Scan
from tenant_experience.intake.staged_file import StagedFile

# DuckDB's own names for the reasons why it cannot split a line into columns.
_REJECT_REASONS = {
    "MISSING COLUMNS": "ragged_row",
    "TOO MANY COLUMNS": "ragged_row",
    "INVALID ENCODING": "invalid_encoding",
    "UNQUOTED VALUE": "unterminated_quote",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}
_MAY_SWALLOW_LINES = ("unterminated_quote", "line_too_long")


def create_quarantine(connection: duckdb.DuckDBPyConnection, columns: list[str]) -> None:
    """Creates the empty table ``quarantine``; ``lines`` is how many lines of the file an entry stands for."""
    values = "".join(f", raw_{column} VARCHAR" for column in columns)
    connection.execute(
        "CREATE TABLE quarantine "
        f"(reason VARCHAR, column_name VARCHAR, file VARCHAR, line BIGINT, lines BIGINT{values})"
    )


def quarantine_file(
    connection: duckdb.DuckDBPyConnection, scan: Scan, staged: StagedFile, rules: Sequence[Rule]
) -> int:
    """Adds the refused rows of one file to ``quarantine``.

    Args:
        connection: holds ``quarantine`` and the scan's table of rejects.
        scan: the file, which has been read.
        staged: its rows.
        rules: what ``broken_rule`` of a staged row is an index into.

    Returns:
        How many lines were refused. An open quote swallows the lines that follow it: they all count.
    """
    rejected = count(connection, f"SELECT count(DISTINCT line) FROM {scan.rejects}") if scan.rejects else 0
    if not staged.broken and not rejected:
        return 0
    _number_lines(connection, scan, staged)
    _add_broken(connection, scan, rules)
    if rejected:
        _add_rejected(connection, scan)
    swallowed = _add_swallowed(connection, scan, staged.rows + rejected) if rejected else 0
    (place,) = [place for place, rule in enumerate(rules) if rule.reason == SWALLOWED_ROWS]
    swallowed += count(connection, f"SELECT sum(newlines) FROM numbered WHERE broken_rule = {place}")
    for table in ("numbered", "unsplit"):
        connection.execute(f"DROP TABLE {table}")
    return staged.broken + rejected + swallowed


def _number_lines(connection: duckdb.DuckDBPyConnection, scan: Scan, staged: StagedFile) -> None:
    """Creates ``numbered`` (rows that are refused or hold line breaks) and ``unsplit`` (rejected lines).

    DuckDB's ``line`` of a reject counts records, not physical lines: ``line - header - place`` of the records before it
    could be split, and each line break inside a value moves the following records one line down.
    """
    connection.execute(
        "CREATE TEMP TABLE numbered AS SELECT broken_rule, newlines, refused, file_row_number + 1 AS place, "
        "sum(newlines) OVER (ORDER BY file_row_number) AS breaks "
        f"FROM read_parquet({literal(str(staged.path))}, file_row_number = true) "
        f"WHERE broken_rule <> {FILTERED} OR newlines > 0"
    )
    rejects = scan.rejects or "(SELECT 0 AS line, '' AS error_type, '' AS column_name, 0 AS column_idx WHERE false)"
    connection.execute(
        "CREATE TEMP TABLE unsplit AS SELECT *, row_number() OVER (ORDER BY line) AS place, "
        f"line - {scan.skipped_lines + int(scan.header_lines > 0)} - row_number() OVER (ORDER BY line) AS split_before "
        "FROM (SELECT CAST(line AS BIGINT) AS line, arg_min(CAST(error_type AS VARCHAR), column_idx) AS error_type, "
        f"arg_min(column_name, column_idx) AS column_name FROM {rejects} GROUP BY line)"
    )


def _add_broken(connection: duckdb.DuckDBPyConnection, scan: Scan, rules: Sequence[Rule]) -> None:
    raw = sum(name.startswith("raw_") for (name, *_) in connection.execute("DESCRIBE quarantine").fetchall())
    texts = ", ".join(f"refused[{place}]" for place in range(1, raw + 1))
    reasons, columns = ([literal(getattr(rule, key)) for rule in rules] for key in ("reason", "column"))
    before = scan.skipped_lines + scan.header_lines
    connection.execute(
        f"INSERT INTO quarantine SELECT [{', '.join(reasons)}][broken_rule + 1], "
        f"[{', '.join(columns)}][broken_rule + 1], $1, "
        f"numbered.place + {before} + coalesce(unsplit.place, 0) + breaks - newlines, 1 + newlines, "
        f"{texts} FROM numbered ASOF LEFT JOIN unsplit ON numbered.place > unsplit.split_before "
        f"WHERE broken_rule <> {FILTERED}",
        [scan.file.name],
    )


def _add_rejected(connection: duckdb.DuckDBPyConnection, scan: Scan) -> None:
    reasons = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in _REJECT_REASONS.items())
    connection.execute(
        "INSERT INTO quarantine (reason, column_name, file, line, lines) "
        f"SELECT CASE error_type {reasons} ELSE 'unreadable_row' END, coalesce(column_name, ''), $1, "
        f"line + {max(scan.header_lines - 1, 0)} + coalesce(breaks, 0), 1 "
        "FROM unsplit ASOF LEFT JOIN numbered ON unsplit.split_before >= numbered.place",
        [scan.file.name],
    )


def _add_swallowed(connection: duckdb.DuckDBPyConnection, scan: Scan, accounted: int) -> int:
    """Adds the lines that an unterminated quote swallowed to its quarantine entry: DuckDB reports one reject only."""
    places = ", ".join(literal(reason) for reason in _MAY_SWALLOW_LINES)
    mine = f"FROM quarantine WHERE file = $1 AND reason IN ({places})"
    first = count(connection, f"SELECT min(line) {mine}", scan.file.name)
    if not first:
        return 0
    with scan.file.open() as stream:
        rows = islice(stream, scan.skipped_lines + scan.header_lines, None)
        lines = sum(1 for line in rows if line.strip())
    breaks = count(connection, "SELECT sum(newlines) FROM numbered")
    swallowed = max(0, lines - accounted - breaks)
    connection.execute(
        f"UPDATE quarantine SET lines = lines + $2 WHERE file = $1 AND line = {first} AND reason IN ({places})",
        [scan.file.name, swallowed],
    )
    return swallowed
