"""features.sql as Spark reads it: what is translated, what is refused."""

import re

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from tenant_experience.errors import UserError
from tenant_experience.spark._dialect import to_spark
from tests.support.places import USE_CASE_FOLDER

FEATURES = (USE_CASE_FOLDER / "features.sql").read_text()
# Each statement's SELECT; a name for what is put in its place.
SELECTS = [
    re.sub(r"CREATE (VIEW|TABLE) \w+ AS", "", statement.query.strip().rstrip(";")).replace("$", "at_")
    for statement in duckdb.connect().extract_statements(FEATURES)
]


@pytest.mark.parametrize("select", SELECTS)
def test_features_sql_is_sparks_own_sql(select: str):
    translated = to_spark(select)
    assert sqlglot.parse_one(translated, read="spark").sql(dialect="spark") == translated
    functions = {node.sql_name() for node in sqlglot.parse_one(select, read="duckdb").find_all(exp.Func)}
    # What stands in features.sql; a new function is to be checked on both engines before it is added here.
    assert functions <= {
        *("ARG_MAX", "CASE", "CAST", "COALESCE", "COUNT", "DATE_DIFF", "DATEDIFF", "GREATEST", "IF", "LEAST"),
        *("MAX", "MAX_BY", "MIN", "NULLIF", "ROW_NUMBER", "STRUCT", "SUM", "AND", "OR"),
    }


@pytest.mark.parametrize(
    ("ours", "spark"),
    [
        ("SELECT a / 24.0 FROM t", "SELECT a / CAST('24.0' AS DOUBLE) FROM t"),
        ("SELECT date_diff('microsecond', a, b) FROM t", "SELECT DATEDIFF(MICROSECOND, a, b) FROM t"),
        ("SELECT max_by(a, struct_pack(b := b)) FROM t", "SELECT MAX_BY(a, STRUCT(b AS b)) FROM t"),
        ("WITH t AS NOT MATERIALIZED (SELECT 1) SELECT 1 FROM t", "WITH t AS (SELECT 1) SELECT 1 FROM t"),
        ("SELECT TIMESTAMP '1900-01-01'", "SELECT CAST('1900-01-01' AS TIMESTAMP_NTZ)"),
        ("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a NULLS LAST"),
        ("SELECT t.* EXCLUDE (a) FROM t", "SELECT t.* EXCEPT (a) FROM t"),
        ("SELECT CAST(a AS VARCHAR) FROM t", "SELECT CAST(a AS STRING) FROM t"),
    ],
)
def test_what_is_spelled_differently(ours: str, spark: str):
    assert to_spark(ours) == spark


def test_sql_that_cannot_be_read_is_refused_by_name():
    with pytest.raises(UserError, match="cannot be translated for Spark") as refusal:
        to_spark("SELECT (a FROM t")
    assert refusal.value.code == "invalid_sql"
