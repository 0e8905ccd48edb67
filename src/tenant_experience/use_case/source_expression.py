"""The columns that an SQL expression of a source file reads, according to DuckDB's own parser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import duckdb

# How a table source calls the moment that the features describe.
AS_OF_PARAMETER = "as_of"
_PARAMETER = re.compile(rb"(?<![\w$])\$([A-Za-z_]\w*)")
_REFUSED = {
    "SUBQUERY": "a subquery",
    "STAR": "*",
    "PARAMETER": "a parameter other than $as_of",
    "WINDOW": "a window function",
}
# Of a parse tree, in which a function within a function is two levels; well below the recursion limit of Python.
_DEEPEST = 400
_TOO_DEEP = "it is nested too deeply"


@cache
def columns_read(expression: str) -> tuple[str, ...]:
    """The columns that ``expression`` refers to, in order of appearance.

    Raises:
        ValueError: it is not a single plain SQL expression over the columns of one row.
    """
    document = _parsed(expression)
    if document["error"]:
        if expression.strip().isidentifier():  # such as case, order or at
            name = expression.strip()
            raise ValueError(f"{name} is a word of SQL: if the file's column is called so, write '\"{name}\"'")
        raise ValueError(f"not a SQL expression: {document.get('error_message', 'it cannot be parsed')}")
    statements = document["statements"]
    node = statements[0]["node"]
    if len(statements) != 1 or node["type"] != "SELECT_NODE" or len(node["select_list"]) != 1:
        raise ValueError("must be one SQL expression")
    if node["from_table"]["type"] != "EMPTY" or node["where_clause"] or node["modifiers"]:
        raise ValueError("must be an expression over the columns of the file, without FROM, WHERE or ORDER BY")
    return tuple(dict.fromkeys(_column_names(node["select_list"][0])))


def substituted(sql: str, values: Mapping[str, str]) -> str:
    """SQL with values in place of its parameters; texts, comments and quoted names stay as they are.

    Args:
        sql: an expression or a statement.
        values: parameter -> the SQL that stands in its place, for each that occurs.
    """
    text = sql.encode()
    tokens = duckdb.tokenize(sql)
    ends = [*(start for start, _ in tokens[1:]), len(text)]
    kept = (duckdb.token_type.string_const, duckdb.token_type.comment)
    fixed = [
        (start, end)
        for (start, kind), end in zip(tokens, ends, strict=True)
        if kind in kept or text[start : start + 1] == b'"'
    ]

    def value(match: re.Match[bytes]) -> bytes:
        if any(start <= match.start() < end for start, end in fixed):
            return match[0]
        return values[match[1].decode()].encode()

    return _PARAMETER.sub(value, text).decode()


def uses_as_of(expression: str) -> bool:
    """Whether an expression that ``columns_read`` accepts depends on ``$as_of``."""
    return substituted(expression, {AS_OF_PARAMETER: "NULL"}) != expression


def is_plain_column(expression: str) -> bool:
    """Whether ``expression`` is just the unquoted name of a column."""
    return columns_read(expression) == (expression,)


def check_time_format(time_format: str) -> None:
    """Checks a strptime format.

    Raises:
        ValueError: DuckDB cannot read times in this format.
    """
    if "%Z" in time_format.replace("%%", ""):
        raise ValueError("must not use %Z: abbreviations such as BST have several meanings; %z reads offsets")
    try:
        with duckdb.cursor() as connection:
            connection.execute("SELECT try_strptime('', $1)", [time_format])
    except duckdb.Error as error:
        problem = str(error).splitlines()[0]
    else:
        return
    raise ValueError(f"not a strptime format, such as %d/%m/%Y %H:%M: {problem}")


def _parsed(expression: str) -> dict[str, Any]:
    """DuckDB's parse tree, from its default session: opening another one takes longer than parsing all of a source.

    The callers raise errors, because a traceback must not keep the cursor alive.
    """
    with duckdb.cursor() as connection:
        row = connection.execute("SELECT json_serialize_sql($1)", [f"SELECT (\n{expression}\n)"]).fetchone()
    try:
        document: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    except RecursionError:
        return {"error": True, "error_message": _TOO_DEEP}
    return document


def _column_names(node: object, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(f"not a SQL expression that can be checked: {_TOO_DEEP}")
    if isinstance(node, list):
        for item in node:
            yield from _column_names(item, depth + 1)
    if not isinstance(node, dict):
        return
    kind = node.get("class")
    if kind == "PARAMETER" and node.get("identifier") == AS_OF_PARAMETER:
        return
    if kind in _REFUSED:
        raise ValueError(f"must not use {_REFUSED[kind]}: each row is mapped on its own")
    if kind == "COLUMN_REF":
        names = node["column_names"]
        if len(names) != 1:
            dotted = ".".join(names)
            raise ValueError(
                f"column {dotted} has a dot: write '\"{dotted}\"', in double quotes inside single quotes, because YAML "
                "takes the outer quotes away"
            )
        yield names[0]
    for value in node.values():
        yield from _column_names(value, depth + 1)
