"""Generated batches of communication events for benchmarks: the same seed gives the same rows in every format.

A batch is what a property manager's systems export: one file a month for 14 months, in order of time, in the columns
of ``sources/events.yaml``. 40 events a tenant; 300 portfolios; 0.2% of the events exported twice and 0.2% again, later,
with a later resolution; 0.1% of the rows cannot be right.
"""

# ruff: noqa: S608 - only this module's own numbers and paths enter the SQL
from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Literal, get_args

import duckdb

Format = Literal["parquet", "csv", "csv.gz"]
FORMATS: tuple[Format, ...] = get_args(Format)
AS_OF = "2026-11-01T00:00:00Z"
COLUMNS = (
    *("event_id", "tenant_id", "portfolio_id", "channel", "direction", "opened_at", "first_response_at"),
    *("resolved_at", "answered", "escalated", "sentiment", "tenancy_start_at", "tenancy_end_at"),
)
TIMES = tuple(name for name in COLUMNS if name.endswith("_at"))

_EVENTS_PER_TENANT = 40
_PORTFOLIOS = 300
_MONTHS = 14
_DAYS = 421  # one more than as_of: what happened on that day must not leak into features
_BEGAN = "TIMESTAMP '2025-09-07 00:00:00'"
_EXPORTED = f"{_BEGAN} + INTERVAL {_DAYS} DAY"


def batch(folder: Path, events: int, form: Format) -> Path:
    """The batch of ``events`` events in ``form`` below ``folder``; made when it is not there yet, manifest included."""
    wanted = folder / f"{events}-{form}"
    if not wanted.exists():
        source = None if form == "parquet" else batch(folder, events, "parquet")
        unfinished = folder / f"{wanted.name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        with duckdb.connect() as connection:
            connection.execute("SET memory_limit = '4GiB'; SET TimeZone = 'UTC'")
            for month in range(_MONTHS):
                name = f"events-{month + 1:02}"
                rows = _as_text(source / f"{name}.parquet") if source else _month(events, month)
                kind = "(FORMAT parquet)" if form == "parquet" else "(FORMAT csv, HEADER)"
                connection.execute(f"COPY ({rows}) TO '{unfinished / name}.{form}' {kind}")
        (unfinished / "manifest.json").write_text(json.dumps({"as_of": AS_OF}) + "\n")
        unfinished.rename(wanted)
    return wanted


def _as_text(path: Path) -> str:
    """The rows as an exporter writes them to CSV; times end with Z, and a few are no times at all."""
    times = ", ".join(f"strftime({name}, '%Y-%m-%dT%H:%M:%SZ') AS {name}" for name in TIMES if name != "opened_at")
    opened = (
        "CASE WHEN hash(event_id) % 5000 = 0 THEN '31/02/2026 25:61' ELSE strftime(opened_at, '%Y-%m-%dT%H:%M:%SZ')"
    )
    return f"SELECT * REPLACE ({times}, {opened} END AS opened_at) FROM '{path}'"


def _month(events: int, month: int) -> str:
    """Rows opened in one 14th of the log; ``u(k)`` are independent uniform numbers of event ``i``."""
    first, last = (events * m // _MONTHS for m in (month, month + 1))
    tenants = max(1, events // _EVENTS_PER_TENANT)

    def u(key: int) -> str:
        return f"(hash(i * 64 + {key}) / 18446744073709551616.0)"

    def of_tenant(key: int) -> str:
        return f"(hash(tenant * 64 + {key}) / 18446744073709551616.0)"

    def hours(median: float, key: int) -> str:
        normal = f"sqrt(-2 * ln({u(key)} + 1e-12)) * cos(6.283185307 * {u(key + 1)})"
        return f"to_seconds(ceil({median} * (1 + bad) * exp(0.7 * {normal}) * 3600)::BIGINT)"

    # A fifth of the tenants moved in during the log; one who has not yet is replaced by one who always lived there.
    return f"""
    WITH drawn AS (
        SELECT i, {_BEGAN} + to_seconds(floor(i * {_DAYS * 86_400.0} / {events})::BIGINT) AS opened_at,
            floor({u(1)} * {tenants})::BIGINT AS drawn_tenant
        FROM range({first}, {last}) AS t(i)
    ), lived AS (
        SELECT i, opened_at,
            CASE WHEN drawn_tenant % 5 = 0
                AND {_BEGAN} + to_days((hash(drawn_tenant) % {_DAYS - 5})::INTEGER) > opened_at
            THEN least(drawn_tenant + 1, {tenants - 1}) ELSE drawn_tenant END AS tenant
        FROM drawn
    ), known AS (
        SELECT *, floor({_PORTFOLIOS} * pow({of_tenant(2)}, 2))::BIGINT AS portfolio,
            CASE WHEN {of_tenant(3)} < 0.3 THEN 2 ELSE 0 END AS bad,
            CASE WHEN {u(4)} < 0.25 THEN 'ticket' WHEN {u(4)} < 0.33 THEN 'maintenance_request'
                WHEN {u(4)} < 0.42 THEN 'work_order' WHEN {u(4)} < 0.65 THEN 'call'
                WHEN {u(4)} < 0.87 THEN 'message' ELSE 'email' END AS kind
        FROM lived
    ), timed AS (
        SELECT *,
            CASE WHEN kind <> 'call' AND {u(5)} > 0.03 THEN opened_at + {hours(4, 6)} END AS response,
            CASE WHEN kind IN ('ticket', 'maintenance_request', 'work_order') AND {u(8)} > 0.01
                THEN opened_at + {hours(8, 6)} + {hours(24, 9)} END AS resolution
        FROM known
    ), rows_of_events AS (
        SELECT *, unnest(CASE WHEN {u(11)} < 0.002 THEN [0, 0] WHEN {u(11)} < 0.004 THEN [0, 1] ELSE [0] END) AS again
        FROM timed
    )
    SELECT
        upper(left(kind, 2)) || '-' || lpad(CAST(i AS VARCHAR), 9, '0') AS event_id,
        CASE WHEN {u(12)} >= 0.0003 THEN 'T' || lpad(CAST(tenant AS VARCHAR), 7, '0') END AS tenant_id,
        'Portfolio ' || portfolio AS portfolio_id,
        CASE WHEN {u(13)} < 0.0003 THEN 'fax' ELSE kind END AS channel,
        CASE WHEN kind IN ('call', 'message', 'email') THEN if({u(14)} < 0.65, 'inbound', 'outbound') END AS direction,
        opened_at::TIMESTAMPTZ AS opened_at,
        CASE WHEN response < {_EXPORTED} THEN response END::TIMESTAMPTZ AS first_response_at,
        CASE WHEN {u(15)} < 0.0003 AND resolution IS NOT NULL THEN TIMESTAMP '2001-01-01'
            WHEN again = 1 AND resolution + INTERVAL 2 DAY < {_EXPORTED} THEN resolution + INTERVAL 2 DAY
            WHEN resolution < {_EXPORTED} THEN resolution END::TIMESTAMPTZ AS resolved_at,
        CASE WHEN kind = 'call' AND {u(14)} < 0.65 AND {u(16)} > 0.04 THEN {u(17)} < 0.95 - 0.18 * bad END AS answered,
        kind IN ('ticket', 'maintenance_request') AND {u(18)} < 0.02 + 0.05 * bad AS escalated,
        CASE WHEN kind = 'ticket' THEN CASE WHEN {u(19)} < 0.02 + 0.1 * bad THEN 'negative'
            WHEN {u(19)} < 0.35 THEN 'positive' WHEN {u(19)} < 0.6 THEN 'neutral' END END AS sentiment,
        CASE WHEN tenant % 5 = 0 THEN {_BEGAN} + to_days((hash(tenant) % {_DAYS - 5})::INTEGER) END::TIMESTAMPTZ
            AS tenancy_start_at,
        CASE WHEN tenant % 23 = 0 THEN TIMESTAMP '2026-12-31' END::TIMESTAMPTZ AS tenancy_end_at
    FROM rows_of_events ORDER BY i, again
    """
