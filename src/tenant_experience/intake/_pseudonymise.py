"""Pseudonyms in DuckDB: each id is hashed once, no matter how many rows have it."""

from __future__ import annotations

from typing import Any

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from tenant_experience.pseudonyms import Pseudonyms

_FUNCTION = "pseudonymised"


def install(connection: duckdb.DuckDBPyConnection, pseudonyms: Pseudonyms) -> None:
    """Adds the function that :func:`hidden` calls to a connection and its cursors."""
    import pyarrow as pa

    known: dict[str, str] = {}

    def pseudonymised(ids: Any) -> Any:  # arrays of Arrow, whose names DuckDB would look up here and not find
        texts = ids.to_pylist()
        for text in set(texts) - known.keys() - {None}:
            known[text] = pseudonyms.of(text)
        return pa.array([known.get(text) for text in texts], pa.string())

    connection.create_function(
        _FUNCTION,
        pseudonymised,
        ["VARCHAR"],
        "VARCHAR",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )


def hidden(pseudonyms: Pseudonyms | None, column: str, expression: str) -> str:
    """SQL for an expression over ``column``, with pseudonyms if this is the column whose ids are hidden."""
    if pseudonyms is None or column != pseudonyms.column:
        return expression
    return f"{_FUNCTION}(CAST({expression} AS VARCHAR))"
