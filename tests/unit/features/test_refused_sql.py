"""SQL of features that cannot be used is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from tenant_experience.errors import UserError
from tenant_experience.features.sql import features_from_events
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.use_case.record_id import RecordId
from tests.support.raw_reading import USE_CASE

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_column_that_the_sql_does_not_give_is_named() -> None:
    use_case = USE_CASE.model_copy(update={"ids": RecordId(name="tennant_id")})
    with duckdb.connect() as connection, pytest.raises(UserError, match="'tennant_id'") as caught:
        features_from_events(DuckDbEngine(connection, Path()), use_case, "SELECT 1 AS tenant_id", AS_OF)
    assert caught.value.code == "invalid_use_case"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELEC 1", "is not SQL"),
        ("", "has no statement"),
        ("DROP VIEW events; SELECT 1", "must be CREATE VIEW or CREATE TABLE name AS SELECT: DROP VIEW events"),
        ("CREATE VIEW a AS SELECT tenant_id FROM events; SELECT * FROM a", "gives no column 'work_order_count'"),
        (
            "CREATE VIEW a AS FROM events; CREATE TABLE a AS FROM events; FROM a",
            "gives the name 'a' to a statement, but",
        ),
        ("CREATE VIEW events AS SELECT * FROM events; SELECT 1", "gives the name 'events' to a statement"),
    ],
)
def test_sql_of_another_form_is_refused_by_name(sql: str, told: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE events (tenant_id VARCHAR, opened_at TIMESTAMP)")
        with pytest.raises(UserError, match=told) as refusal:
            features_from_events(DuckDbEngine(connection, Path()), USE_CASE, sql, AS_OF)
    assert refusal.value.code == "invalid_use_case"
