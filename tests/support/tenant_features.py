"""Features of made-up events, by the SQL of the shipped use case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from tenant_experience.features.sql import check_freshness, features_from_events
from tenant_experience.intake.engine import DuckDbEngine
from tests.support.places import USE_CASE_FOLDER
from tests.support.raw_reading import USE_CASE

SQL = (USE_CASE_FOLDER / "features.sql").read_text()
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
COLUMNS = {
    **dict.fromkeys(("event_id", "tenant_id", "portfolio_id", "channel", "direction"), "VARCHAR"),
    **dict.fromkeys(("opened_at", "first_response_at", "resolved_at"), "TIMESTAMP"),
    **dict.fromkeys(("answered", "escalated"), "BOOLEAN"),
    "sentiment": "VARCHAR",
    "tenancy_start_at": "TIMESTAMP",
    "tenancy_end_at": "TIMESTAMP",
    "recorded_at": "TIMESTAMP",
}
ARROW = {"VARCHAR": pa.string(), "TIMESTAMP": pa.timestamp("us"), "BOOLEAN": pa.bool_()}
SCHEMA = pa.schema([(name, ARROW[kind]) for name, kind in COLUMNS.items()])


def ago(days: float = 0, **parts: float) -> datetime:
    return AS_OF - timedelta(days=days, **parts)


def event(opened_at: datetime, channel: str = "ticket", **columns) -> dict:
    event.count += 1
    row = dict.fromkeys(COLUMNS) | {
        "event_id": f"E{event.count}",
        "tenant_id": "T1",
        "portfolio_id": "all",
        "channel": channel,
        "opened_at": opened_at,
        "escalated": False,
    }
    return row | columns


event.count = 0


def build(events: list[dict], as_of: datetime = AS_OF) -> dict[str, dict]:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE staged ({', '.join(f'{n} {t}' for n, t in COLUMNS.items())})")
        rows = [
            {name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in row.items()}
            for row in events
        ]
        connection.register("rows", pa.Table.from_pylist(rows, schema=SCHEMA))
        connection.execute("INSERT INTO staged SELECT * FROM rows")
        connection.execute(
            "CREATE VIEW events AS SELECT *, count(*) OVER (PARTITION BY event_id) > 1 AS repeated FROM staged"
        )
        engine = DuckDbEngine(connection, Path())
        check_freshness(engine, USE_CASE, as_of)
        features_from_events(engine, USE_CASE, SQL, as_of)
        table = connection.execute("SELECT * FROM features")
        names = [column[0] for column in table.description]
        return {row[0]: dict(zip(names, row, strict=True)) for row in table.fetchall()}


def one(*events: dict, days_of_history: float = 365) -> dict:
    """Features of T1 with these events and a message long ago to give it history; T9 keeps the log fresh."""
    first = event(ago(days_of_history), "message", direction="inbound")
    return build([first, event(ago(1), tenant_id="T9"), *events])["T1"]
