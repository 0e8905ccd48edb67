"""Refused rows: why, in which file, on which line, and what they held in the columns we read (no other text).

Line numbers count the file's physical lines from 1, the header included; blank lines between rows are not counted.
"""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session, files go by our own link names
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from tenant_experience.intake._pseudonymise import hidden
from tenant_experience.intake.duckdb_session import count, literal
from tenant_experience.intake.files import RawFile
from tenant_experience.intake.scan import Scan
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.use_case.source import Source

KEPT_CHARACTERS = 64
# DuckDB's own names of what keeps a line from being split into columns.
_REJECT_REASONS = {
    "MISSING COLUMNS": "ragged_row",
    "TOO MANY COLUMNS": "ragged_row",
    "INVALID ENCODING": "invalid_encoding",
    "UNQUOTED VALUE": "unterminated_quote",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}
# In place of a rule: the source's filter passes the row over. It is neither kept nor refused.
FILTERED = -1
_MAY_SWALLOW_LINES = ("unterminated_quote", "line_too_long")


@dataclass(frozen=True)
class Rule:
    """Why a row is refused.

    Attributes:
        reason: stable, ``snake_case``.
        column: ours; empty when the row as a whole is meant.
        broken: SQL over ``raw_<column>`` (as found) and ``<column>`` (typed); null counts as not broken.
    """

    reason: str
    column: str
    broken: str


def malformed(column: str, pattern: str) -> str:
    """SQL: whether ``column`` is a text that does not match ``pattern`` from end to end."""
    return f"NOT regexp_full_match({column}, {literal(pattern)})"


def create_quarantine(connection: duckdb.DuckDBPyConnection, columns: list[str]) -> None:
    """Makes the empty table ``quarantine``; ``lines`` is how many lines of the file the entry stands for."""
    values = "".join(f", raw_{column} VARCHAR" for column in columns)
    connection.execute(
        "CREATE TABLE quarantine "
        f"(reason VARCHAR, column_name VARCHAR, file VARCHAR, line BIGINT, lines BIGINT{values})"
    )


def kept_values(source: Source, pseudonyms: Pseudonyms | None) -> str:
    """SQL over ``raw_<column>``: what the quarantine keeps of a refused row, a list in the order of its columns."""
    values = [hidden(pseudonyms, column, f"raw_{column}") for column in source.columns]
    return f"[{', '.join(f'left(CAST({value} AS VARCHAR), {KEPT_CHARACTERS})' for value in values)}]"


def quarantine_file(
    connection: duckdb.DuckDBPyConnection, scan: Scan, staged: Path, rules: list[Rule], rows: int, broken: int
) -> int:
    """Adds the refused rows of one file to ``quarantine``.

    Args:
        connection: holds ``quarantine`` and the scan's table of rejects.
        scan: the file, read already.
        staged: its rows in their order, with ``broken_rule`` = index into ``rules``, or FILTERED; ``newlines``; and
            ``refused``, the :func:`kept_values` of those that broke a rule.
        rules: what rows were checked against.
        rows: how many rows the file was split into.
        broken: how many of them broke a rule.

    Returns:
        How many lines were refused. An unterminated quote swallows what follows: all those lines count.
    """
    rejected = count(connection, f"SELECT count(DISTINCT line) FROM {scan.rejects}") if scan.rejects else 0
    if not broken and not rejected:
        return 0
    _number_lines(connection, scan, staged)
    _add_broken(connection, scan, rules)
    if rejected:
        _add_rejected(connection, scan)
    swallowed = _add_swallowed(connection, scan, rows + rejected) if rejected else 0
    for table in ("numbered", "unsplit"):
        connection.execute(f"DROP TABLE {table}")
    return broken + rejected + swallowed


def _header_lines(file: RawFile) -> int:
    return 1 if file.format == "csv" else 0


def _number_lines(connection: duckdb.DuckDBPyConnection, scan: Scan, staged: Path) -> None:
    """Finds ``numbered`` (rows worth knowing) and ``unsplit`` (rejected lines).

    DuckDB's ``line`` of a reject counts records, not physical lines: those before it that were split are
    ``line - header - place``, and each line break inside a value moves what follows one line down.
    """
    connection.execute(
        "CREATE TEMP TABLE numbered AS SELECT *, file_row_number + 1 AS place, "
        "sum(newlines) OVER (ORDER BY file_row_number) AS breaks "
        f"FROM read_parquet({literal(str(staged))}, file_row_number = true) "
        f"WHERE broken_rule <> {FILTERED} OR newlines > 0"
    )
    rejects = scan.rejects or "(SELECT 0 AS line, '' AS error_type, '' AS column_name, 0 AS column_idx WHERE false)"
    connection.execute(
        "CREATE TEMP TABLE unsplit AS SELECT *, row_number() OVER (ORDER BY line) AS place, "
        f"line - {_header_lines(scan.file)} - row_number() OVER (ORDER BY line) AS split_before "
        "FROM (SELECT CAST(line AS BIGINT) AS line, arg_min(CAST(error_type AS VARCHAR), column_idx) AS error_type, "
        f"arg_min(column_name, column_idx) AS column_name FROM {rejects} GROUP BY line)"
    )


def _add_broken(connection: duckdb.DuckDBPyConnection, scan: Scan, rules: list[Rule]) -> None:
    raw = sum(name.startswith("raw_") for (name, *_) in connection.execute("DESCRIBE quarantine").fetchall())
    texts = ", ".join(f"refused[{place}]" for place in range(1, raw + 1))
    reasons, columns = ([literal(getattr(rule, key)) for rule in rules] for key in ("reason", "column"))
    connection.execute(
        f"INSERT INTO quarantine SELECT [{', '.join(reasons)}][broken_rule + 1], "
        f"[{', '.join(columns)}][broken_rule + 1], $1, "
        f"numbered.place + {_header_lines(scan.file)} + coalesce(unsplit.place, 0) + breaks - newlines, 1 + newlines, "
        f"{texts} FROM numbered ASOF LEFT JOIN unsplit ON numbered.place > unsplit.split_before "
        f"WHERE broken_rule <> {FILTERED}",
        [scan.file.name],
    )


def _add_rejected(connection: duckdb.DuckDBPyConnection, scan: Scan) -> None:
    reasons = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in _REJECT_REASONS.items())
    connection.execute(
        "INSERT INTO quarantine (reason, column_name, file, line, lines) "
        f"SELECT CASE error_type {reasons} ELSE 'unreadable_row' END, coalesce(column_name, ''), $1, "
        "line + coalesce(breaks, 0), 1 "
        "FROM unsplit ASOF LEFT JOIN numbered ON unsplit.split_before >= numbered.place",
        [scan.file.name],
    )


def _add_swallowed(connection: duckdb.DuckDBPyConnection, scan: Scan, accounted: int) -> int:
    """Counts the lines that an unterminated quote hides, into its quarantine entry: DuckDB reports one reject."""
    places = ", ".join(literal(reason) for reason in _MAY_SWALLOW_LINES)
    mine = f"FROM quarantine WHERE file = $1 AND reason IN ({places})"
    first = count(connection, f"SELECT min(line) {mine}", scan.file.name)
    if not first:
        return 0
    with scan.file.open() as stream:
        lines = sum(1 for line in stream if line.strip())
    breaks = count(connection, "SELECT sum(newlines) FROM numbered")
    swallowed = max(0, lines - _header_lines(scan.file) - accounted - breaks)
    connection.execute(
        f"UPDATE quarantine SET lines = lines + $2 WHERE file = $1 AND line = {first} AND reason IN ({places})",
        [scan.file.name, swallowed],
    )
    return swallowed
