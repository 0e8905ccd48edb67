"""SQL of a use case as DuckDB's own parser reads it: its parse tree, and values in place of its parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb

TOO_DEEP = "it is nested too deeply"


def parse_tree(select: str) -> dict[str, Any]:
    """The tree of SELECT statements; where ``error`` is true, ``error_message`` may say why there is none.

    The cursor is of DuckDB's default session: opening another one takes longer than parsing all of a source. The
    callers raise errors, because a traceback must not keep the cursor alive.
    """
    with duckdb.cursor() as parser:
        row = parser.execute("SELECT json_serialize_sql($1)", [select]).fetchone()
    try:
        document: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    except RecursionError:
        return {"error": True, "error_message": TOO_DEEP}
    return document


def substituted(sql: str, values: Mapping[str, str]) -> str:
    """SQL with values in place of its parameters; texts, comments and names stay as they are.

    Args:
        sql: an expression or a statement.
        values: parameter -> the SQL that stands in its place. Others stay, and DuckDB's parser finds them.
    """
    text = sql.encode()
    starts = [start for start, _ in duckdb.tokenize(sql)]
    done: list[str] = []
    # A parameter is a token $ and a name; a name such as x$as_of is one token, and so is a text between $$.
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        part = text[start:end].decode()
        name = part.rstrip()
        if done and done[-1] == "$" and name in values:
            done[-1], part = "", values[name] + part[len(name) :]
        done.append(part)
    return "".join(done)
