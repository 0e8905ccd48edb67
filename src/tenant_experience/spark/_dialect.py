"""DuckDB's SQL, in which everything is written, as Spark reads it."""

from __future__ import annotations

import sqlglot
from sqlglot import errors, exp

from tenant_experience.errors import UserError


def to_spark(sql: str) -> str:
    """A SELECT in Spark's dialect, with the same rows to the last bit.

    Raises:
        UserError: ``invalid_sql``: it cannot be parsed, or Spark has nothing like it.
    """
    try:
        tree = sqlglot.parse_one(sql, read="duckdb").transform(_as_double)
        for named in tree.find_all(exp.CTE):
            named.set("materialized", None)  # Spark has no such word: it decides by itself
        return tree.sql(dialect="spark", comments=False, unsupported_level=errors.ErrorLevel.RAISE)
    except errors.SqlglotError as error:
        raise UserError(f"SQL that cannot be put into Spark's dialect: {error}", code="invalid_sql") from error


def _as_double(node: exp.Expr) -> exp.Expr:
    """DuckDB divides by ``24.0`` in doubles, Spark in decimals of a fixed scale."""
    if isinstance(node, exp.Literal) and not node.is_string and "." in node.name:
        return exp.cast(exp.Literal.string(node.name), exp.DType.DOUBLE)
    return node
