"""Which physical types of a Parquet column can hold what one of our columns means. A duration is no number of hours."""

# ruff: noqa: S608 - names in SQL are quoted by duckdb_session
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.intake._arrow_schema import durations
from tenant_experience.intake.duckdb_session import count, identifier, literal
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.mapping import Meaning
from tenant_experience.use_case.source import Source
from tenant_experience.use_case.source_expression import is_plain_column

# The type of a column without any value, in DuckDB's words.
NO_VALUES = '"NULL"'
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_EXACT = ("VARCHAR", "ENUM", *_WHOLE, "UHUGEINT", "DECIMAL")
_READABLE: dict[Meaning, tuple[str, ...]] = {
    # Not floating point: it has no room for the digits of a long id.
    "id": (*_EXACT, "UUID"),
    "text": (*_EXACT, "UUID", "BOOLEAN", "FLOAT", "DOUBLE"),
    "time": ("VARCHAR", "ENUM", "DATE", "TIMESTAMP"),
    "flag": (*_EXACT, "BOOLEAN", "FLOAT", "DOUBLE"),
    "number": (*_EXACT, "BOOLEAN", "FLOAT", "DOUBLE"),
}
_EXPECTED: dict[Meaning, str] = {
    "id": "text or whole numbers",
    "text": "one plain value in each row",
    "time": "one plain value in each row: a time stamp, or text such as 2026-11-20T09:30:00Z",
    "flag": "one plain value in each row: true and false, or 1 and 0",
    "number": "one plain value in each row, a number: of a duration, write how many hours it has",
}


def physical_types(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> dict[str, str]:
    """The types of a Parquet file's columns in DuckDB's words, with ``DURATION`` for what it reads as whole numbers.

    Args:
        connection: may read the file.
        table: the file as a table expression.
        path: the file.
    """
    described = connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    types = {name: kind for name, kind, *_ in described}
    kept = connection.execute(
        f"SELECT value FROM parquet_kv_metadata({literal(str(path))}) WHERE key = 'ARROW:schema'::BLOB"
    ).fetchall()
    found = {name for (schema,) in kept for name in durations(schema)}
    return {name: "DURATION" if name in found else kind for name, kind in types.items()}


def readable_types(
    connection: duckdb.DuckDBPyConnection,
    file: RawFile,
    table: str,
    types: Mapping[str, str],
    source: Source,
    meanings: Mapping[str, Meaning],
) -> dict[str, str]:
    """The types, with ``NO_VALUES`` for a column of the wrong type in which every value is missing.

    Raises:
        UserError: ``wrong_column_type``: a column that is read as it is has values of another type than it must hold.
    """
    readable = dict(types)
    names = {name.lower(): name for name in types}
    for ours, expression in source.columns.items():
        name = names.get(expression.lower()) if is_plain_column(expression) else None
        meaning = meanings[ours]
        if name is None or types[name] == NO_VALUES or _is_one_of(types[name], _READABLE[meaning]):
            continue
        if _has_values(connection, table, name, types[name]):
            raise UserError(
                f"{file.name}: column {expression!r}, read as {ours}, is {types[name].split('(')[0]}: it must hold "
                f"{_EXPECTED[meaning]}{_how_to_read(ours, expression, types[name], meaning)}",
                code="wrong_column_type",
            )
        readable[name] = NO_VALUES
    return readable


def _how_to_read(ours: str, column: str, kind: str, meaning: Meaning) -> str:
    """How the source can say what numbers in a column of times count."""
    if meaning != "time" or not _is_one_of(kind, (*_WHOLE, "UHUGEINT", "DECIMAL", "FLOAT", "DOUBLE")):
        return ""
    return (
        f". Numbers that count seconds since 1970 are read when the source says {ours}: "
        f"to_timestamp(CAST({column} AS DOUBLE)), and milliseconds with {ours}: "
        f"to_timestamp(CAST({column} AS DOUBLE) / 1000)"
    )


def _is_one_of(kind: str, readable: tuple[str, ...]) -> bool:
    is_nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
    return not is_nested and kind.startswith(readable)


def _has_values(connection: duckdb.DuckDBPyConnection, table: str, name: str, kind: str) -> bool:
    column = identifier(name)
    is_value = f"CAST({column} AS VARCHAR) <> 'nan'" if kind in ("FLOAT", "DOUBLE") else f"{column} IS NOT NULL"
    return count(connection, f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {is_value} LIMIT 1)") > 0
