"""Translates DuckDB's SQL, in which everything is written, for Spark."""

from __future__ import annotations

import sqlglot
from sqlglot import errors, exp

from tenant_experience.errors import UserError


def to_spark(sql: str) -> str:
    """A SELECT in Spark's dialect that gives the same rows, to the last bit.

    Raises:
        UserError: ``invalid_sql``: it cannot be parsed, or Spark has no equivalent.
    """
    try:
        tree = sqlglot.parse_one(sql, read="duckdb").transform(_as_double)
        for named in tree.find_all(exp.CTE):
            named.set("materialized", None)  # Spark has no such keyword and decides by itself
        return tree.sql(dialect="spark", comments=False, unsupported_level=errors.ErrorLevel.RAISE)
    except errors.SqlglotError as error:
        raise UserError(f"this SQL cannot be translated for Spark: {error}", code="invalid_sql") from error


def _as_double(node: exp.Expr) -> exp.Expr:
    """Makes ``24.0`` a double in Spark too, where it would be a decimal of a fixed scale."""
    if isinstance(node, exp.Literal) and not node.is_string and "." in node.name:
        return exp.cast(exp.Literal.string(node.name), exp.DType.DOUBLE)
    return node
