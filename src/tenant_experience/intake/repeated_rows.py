"""Rows of a table that have the same id: equal rows count once, and of rows that differ one is kept (decision 38)."""

# ruff: noqa: S608 - names in SQL are quoted by duckdb_session
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from tenant_experience.intake.duckdb_session import count, identifier

_GOOD = "broken_rule IS NULL"


@dataclass(frozen=True)
class RepeatedRows:
    """What a table held beside one row for each id.

    Attributes:
        ids: how many ids have a row.
        repeated_rows: rows that equal another one in every column that is read, and are left out.
        conflicting_ids: ids whose rows differ; only one row of each is kept.
        conflicting_rows: the rows of these ids that are left out.
    """

    ids: int
    repeated_rows: int
    conflicting_ids: int
    conflicting_rows: int = 0


def view_one_row_each(
    connection: duckdb.DuckDBPyConnection, view: str, key: Sequence[str], columns: Sequence[str]
) -> RepeatedRows:
    """Makes ``view`` of the good rows of ``staged``, one for each key.

    Of rows that differ, the one that sorts first by its columns is kept, whatever the order of rows and files; a value
    that is known sorts before one that is not.

    Args:
        connection: holds ``staged``.
        view: its name.
        key: the columns that tell a row from others.
        columns: all columns, the key among them.
    """
    keys, names = (", ".join(map(identifier, each)) for each in (key, columns))
    connection.execute(
        f"CREATE TABLE repeated_keys AS SELECT {keys} FROM staged WHERE {_GOOD} GROUP BY {keys} HAVING count(*) > 1"
    )
    of_repeated = f"FROM staged SEMI JOIN repeated_keys USING ({keys}) WHERE {_GOOD}"
    connection.execute(f"CREATE TABLE different_rows AS SELECT DISTINCT {names} {of_repeated}")
    rest = ", ".join(f"{identifier(name)} NULLS LAST" for name in columns if name not in key)
    order = f"{keys}, {rest}" if rest else keys
    connection.execute(
        f"CREATE VIEW {view} AS SELECT {names} FROM staged ANTI JOIN repeated_keys USING ({keys}) WHERE {_GOOD} "
        f"UNION ALL (SELECT DISTINCT ON ({keys}) {names} FROM different_rows ORDER BY {order})"
    )
    return RepeatedRows(
        ids=count(connection, f"SELECT count(*) FROM {view}"),
        repeated_rows=count(connection, f"SELECT count(*) {of_repeated}")
        - count(connection, "SELECT count(*) FROM different_rows"),
        conflicting_ids=count(
            connection,
            f"SELECT count(*) FROM (SELECT {keys} FROM different_rows GROUP BY {keys} HAVING count(*) > 1)",
        ),
        conflicting_rows=count(connection, "SELECT count(*) FROM different_rows")
        - count(connection, f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM different_rows)"),
    )
