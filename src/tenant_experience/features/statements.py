"""The statements of ``features.sql``: their form, and what they may read. The same rules hold for both engines.

DuckDB's own parser reads them, so neither quotes nor schemas nor comments hide a name. What is refused could give other
features for the same files, or read something that is not an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.use_case.schema import SQL_FILE
from tenant_experience.use_case.source_expression import columns_read, uses_as_of
from tenant_experience.use_case.sql_text import parse_tree, substituted

PARAMETERS = ("as_of", "window_start", "minimum_days", "provisional_below")
_NAMED = re.compile(r"CREATE\s+(?P<kind>VIEW|TABLE)\s+(?P<name>[a-z_][a-z0-9_]*)\s+AS\s", re.IGNORECASE)
_PLAIN = re.compile(r"\w+")
# Of a parse tree, in which a function within a function is two levels; well below the recursion limit of Python.
_DEEPEST = 500
_READING_NODES = frozenset(("SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"))
# Of the functions that give rows, only these read nothing.
_TABLE_FUNCTIONS = ("unnest", "range", "generate_series")
# DuckDB says of these, too, that they always give the same: the clock, the session and the environment.
_FURTHER_VOLATILE = frozenset(
    (
        *("age", "current_catalog", "current_date", "current_localtime", "current_localtimestamp", "current_role"),
        *("current_schema", "current_time", "current_timestamp", "current_user", "get_current_time", "getenv"),
        *("localtime", "localtimestamp", "reservoir_quantile", "session_user", "user", "version", "which_secret"),
    )
)
_CLOCK_WORDS = _FURTHER_VOLATILE - {"age", "version", "user", "getenv", "reservoir_quantile", "which_secret"}


@dataclass(frozen=True)
class Statement:
    """One statement: a SELECT, and the name of its rows.

    Attributes:
        name: of the view or table; None for the last statement, which is the result.
        kind: ``VIEW``, ``TABLE``, or empty for the last statement.
        sql: the SELECT, with values in place of the parameters.
        line: where its SELECT begins in the file.
    """

    name: str | None
    kind: str
    sql: str
    line: int


def read_sql(folder: Path) -> str:
    """The text of ``features.sql`` in the folder of a use case.

    Raises:
        UserError: ``invalid_use_case``: there is no such file, or it is not UTF-8.
    """
    try:
        return (folder / SQL_FILE).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _refusal(
            f"is missing in {folder.name}/: features are computed from events by this file. Write it, or use a source "
            "of kind: table"
        ) from error
    except ValueError as error:
        raise _refusal("is not UTF-8: save it as UTF-8") from error


def parse_statements(sql: str, values: Mapping[str, str], taken: Iterable[str] = ("events",)) -> list[Statement]:
    """Splits and checks the file.

    Args:
        sql: ``features.sql``.
        values: parameter -> the SQL that stands in its place, for each of ``PARAMETERS``.
        taken: names of tables that no statement may have.

    Raises:
        UserError: ``invalid_use_case``; the message names the file and the line, and says what to write.
    """
    queries, problem = _extracted(sql)
    if problem:
        raise _refusal(f"is not SQL: {problem}")
    if not queries:
        raise _refusal("has no statement; it must end with a SELECT")
    names = set(taken)
    found, place = [], 0
    readable = {"events"}
    for number, query in enumerate(queries, start=1):
        start = sql.find(query.strip(), place)
        place = start + len(query.strip())
        line = sql.count("\n", 0, start) + 1
        is_last = number == len(queries)
        statement = _split(query.strip().rstrip(";"), line, is_last=is_last)
        _check_select(statement, readable)
        if statement.name is not None:
            if statement.name.lower() in names:
                raise _refusal(
                    f"line {line}: gives the name {statement.name!r} to a statement, but another one, or a table of "
                    "this application, has it already: choose a name for each"
                )
            names.add(statement.name.lower())
            readable.add(statement.name.lower())
        found.append(Statement(statement.name, statement.kind, substituted(statement.sql, values), line))
    return found


def condition_fault(condition: str, columns: Sequence[str]) -> str | None:
    """What is wrong with SQL that is to be true or false of one event; None when nothing is.

    Args:
        condition: the SQL.
        columns: of an event.
    """
    try:
        read = columns_read(condition)
    except ValueError as error:
        return str(error)
    if uses_as_of(condition):
        return "must not use a parameter, not even $as_of: it is about one event, whatever the moment"
    if unknown := [name for name in read if name.lower() not in columns]:
        return f"{unknown[0]!r} is not a column of events: known are {', '.join(columns)}"
    document = parse_tree(f"SELECT (\n{condition}\n)")
    if document["error"]:
        return f"cannot be checked ({document.get('error_message', 'it cannot be parsed')})"
    problem = next((problem for problem, _ in _problems(document["statements"], frozenset())), None)
    return f"{problem.split(': ')[0]}: ask only what the event itself says" if problem else None


def _split(query: str, line: int, *, is_last: bool) -> Statement:
    if is_last:
        return Statement(None, "", query, line)
    named = _NAMED.search(query)
    if named is None or _without_comments(query[: named.start()]).strip():
        raise _refusal(
            f"line {line}: every statement but the last must be CREATE VIEW or CREATE TABLE name AS SELECT: "
            f"{' '.join(query.split())[:100]}"
        )
    before = query[: named.end()].count("\n")
    return Statement(named["name"], named["kind"].upper(), query[named.end() :], line + before)


def _without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def _extracted(sql: str) -> tuple[list[str], str | None]:
    """The statements and what is wrong. The caller raises: a traceback must not keep the cursor alive."""
    with duckdb.cursor() as parser:
        try:
            return [statement.query for statement in parser.extract_statements(sql)], None
        except duckdb.Error as error:
            return [], str(error)


def _check_select(statement: Statement, readable: set[str]) -> None:
    document = parse_tree(statement.sql)
    if document["error"]:
        problem = document.get("error_message", "it cannot be parsed")
        raise _refusal(
            f"line {statement.line}: this statement is not one SELECT that can be checked ({problem}). Write one "
            f"query over events, and one of {_parameters()} where the moment or a threshold is meant"
        )
    found = next(_problems(document["statements"], frozenset(readable)), None)
    if found:
        problem, place = found
        line = statement.line + statement.sql.encode()[:place].count(b"\n") if place is not None else statement.line
        raise _refusal(f"line {line}: {problem}")


def _problems(
    node: object, readable: frozenset[str], *, is_table_function: bool = False, depth: int = 0
) -> Iterator[tuple[str, int | None]]:
    """What a part of a parse tree must not do, each with its place in the text (bytes), where the parser knows it."""
    if depth > _DEEPEST:
        yield "is nested too deeply: write the steps as views, one after the other", None
    elif isinstance(node, list):
        for item in node:
            yield from _problems(item, readable, depth=depth + 1)
    elif isinstance(node, dict):
        problem = _problem(node, readable, is_table_function=is_table_function)
        if problem:
            place = node.get("query_location")
            yield problem, place if isinstance(place, int) and place < 1 << 60 else None
        tables = node.get("cte_map")
        # The names of WITH are known to the ones after them and to their own SELECT, and nowhere else.
        for entry in tables.get("map", ()) if isinstance(tables, dict) else ():
            yield from _problems(entry["value"], readable, depth=depth + 1)
            readable |= {str(entry["key"]).lower()}
        for key, value in node.items():
            if key != "cte_map":
                reads = key == "function" and node.get("type") == "TABLE_FUNCTION"
                yield from _problems(value, readable, is_table_function=reads, depth=depth + 1)


def _problem(part: Mapping[str, Any], readable: frozenset[str], *, is_table_function: bool) -> str | None:
    kind = part.get("type")
    if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _READING_NODES:
        return "changes or writes something: every part of a statement must be a SELECT"
    if part.get("sample"):
        return "draws a sample, which differs from run to run: leave out TABLESAMPLE and USING SAMPLE"
    if kind == "RECURSIVE_CTE_NODE":
        return "WITH RECURSIVE may never end, and Spark cannot run it: write the steps as views, one after the other"
    if kind == "SHOW_REF":
        return "DESCRIBE, SHOW and SUMMARIZE say nothing about events: leave them out"
    if kind == "BASE_TABLE":
        return _unreadable(part, readable)
    if part.get("class") == "PARAMETER":
        name = str(part.get("identifier", ""))
        if name not in PARAMETERS:
            written = f"${name}" if name else "a parameter without a name"
            return f"{written} is not known: write one of {_parameters()}, or the value itself"
    if part.get("class") == "COLUMN_REF" and part["column_names"][-1].lower() in _CLOCK_WORDS:
        return _volatile(part["column_names"][-1])
    if part.get("class") in ("FUNCTION", "WINDOW"):
        name = str(part["function_name"]).lower()
        if is_table_function:
            allowed = name in _TABLE_FUNCTIONS
            return None if allowed else f"reads {name}(...): features.sql may read events and its own statements only"
        if name == "age" and len(part.get("children", ())) > 1:
            return None
        return _volatile(name) if name in _volatile_functions() else None
    return None


def _unreadable(table: Mapping[str, Any], readable: frozenset[str]) -> str | None:
    schema, name = table["schema_name"] or table["catalog_name"], str(table["table_name"])
    if not schema and name.lower() in readable:
        return None
    written = f"{schema}.{name}" if schema else name
    return (
        f"reads {written!r}, which is neither events nor a view or table of an earlier statement: no file and no other "
        f"table can be read here. Known at this line: {', '.join(sorted(readable))}"
    )


def _volatile(name: str) -> str:
    return (
        f"uses {name}, which does not give the same result when a release is built again: write $as_of for the time of "
        "the release, and compute everything else from events"
    )


@cache
def _volatile_functions() -> frozenset[str]:
    """The functions of DuckDB that do not always give the same for the same arguments."""
    with duckdb.cursor() as session:
        rows = session.execute(
            "SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
        ).fetchall()
        macros = session.execute(
            "SELECT function_name, macro_definition FROM duckdb_functions() WHERE function_type = 'macro'"
        ).fetchall()
    volatile = _FURTHER_VOLATILE | {str(name).lower() for (name,) in rows}
    words = {str(name).lower(): set(_PLAIN.findall(str(definition).lower())) for name, definition in macros}
    # A macro is no better than what it is made of, and its parts may be macros. Tables of duckdb_ are of the session.
    while found := {
        name
        for name, parts in words.items()
        if name not in volatile and (parts & volatile or any(part.startswith("duckdb_") for part in parts))
    }:
        volatile |= found
    return volatile


def _parameters() -> str:
    return ", ".join(f"${name}" for name in PARAMETERS)


def _refusal(problem: str) -> UserError:
    where = f"{SQL_FILE}:" if problem.startswith("line") else SQL_FILE
    return UserError(f"{where} {problem}", code="invalid_use_case")
