"""The columns that an SQL expression of a source file reads, according to DuckDB's own parser."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import duckdb

from tenant_experience.use_case.sql_text import TOO_DEEP, parse_tree, substituted

# The name of the filter in messages and in the quarantine, beside the names of our columns.
WHERE = "where"
# How a table source calls the moment that the features describe.
AS_OF_PARAMETER = "as_of"
# How a source of the queue calls the name of the file that it reads.
FILE_PARAMETER = "file"
_NO_PARAMETERS = {AS_OF_PARAMETER: "NULL", FILE_PARAMETER: "NULL"}
_REFUSED = {
    "SUBQUERY": "a subquery",
    "STAR": "*",
    "PARAMETER": "a parameter other than $as_of and $file",
    "WINDOW": "a window function",
}
# Of a parse tree, in which a function within a function is two levels; well below the recursion limit of Python.
_DEEPEST = 400


@cache
def columns_read(expression: str) -> tuple[str, ...]:
    """The columns that ``expression`` refers to, in order of appearance.

    Raises:
        ValueError: it is not a single plain SQL expression over the columns of one row.
    """
    if not expression.strip():
        raise ValueError("must be one SQL expression, such as a column of the file, or NULL")
    document = parse_tree(f"SELECT (\n{substituted(expression, _NO_PARAMETERS)}\n)")
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


def uses_as_of(expression: str) -> bool:
    """Whether an expression that ``columns_read`` accepts depends on ``$as_of``."""
    return substituted(expression, {AS_OF_PARAMETER: "NULL"}) != expression


def uses_file(expression: str) -> bool:
    """Whether an expression that ``columns_read`` accepts depends on ``$file``."""
    return substituted(expression, {FILE_PARAMETER: "NULL"}) != expression


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


def _column_names(node: object, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(f"not a SQL expression that can be checked: {TOO_DEEP}")
    if isinstance(node, list):
        for item in node:
            yield from _column_names(item, depth + 1)
    if not isinstance(node, dict):
        return
    kind = node.get("class")
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
