"""200,000 events that two engines could disagree about, the same ones for the same seed."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW_START = AS_OF - timedelta(days=365)
EVENTS = 200_000
TENANTS = 3_000
_MICROSECOND = timedelta(microseconds=1)
_ZONES = tuple(timezone(timedelta(minutes=minutes)) for minutes in (0, 60, -300, 345, 840, -720))
_PORTFOLIOS = ("Elm Court", "Ñandú ✿", "北楼", "é", "e\u0301", "🏠", "a b", "A b", "'; --", "", None)
_EDGES = (AS_OF, AS_OF - _MICROSECOND, AS_OF + _MICROSECOND, WINDOW_START, WINDOW_START - _MICROSECOND)
_EXPORTED = AS_OF + timedelta(days=15)
_COLUMNS = (
    *("event_id", "tenant_id", "portfolio_id", "channel", "direction", "opened_at", "first_response_at"),
    *("resolved_at", "answered", "escalated", "sentiment", "recorded_at", "tenancy_start_at"),
    "tenancy_end_at",
)
_CONVERSATIONS = ("call", "message", "email")


def write_awkward_events(folder: Path, seed: int = 0) -> None:
    """Writes CSV, CSV.gz, JSON lines and Parquet files into ``folder``; about 1% of the rows are to be refused."""
    rng = random.Random(seed)
    rows = list(_rows(rng))
    rng.shuffle(rows)
    quarter = len(rows) // 4
    _write_csv(folder / "b 1.csv", rows[:quarter])
    _write_csv(folder / "deep" / "ü.csv.gz", rows[quarter : 2 * quarter])
    with (folder / "c.jsonl").open("w") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows[2 * quarter : 3 * quarter])
    columns = {name: [row[name] for row in rows[3 * quarter :]] for name in _COLUMNS}
    pq.write_table(pa.table(columns), folder / "d.parquet", row_group_size=7_000)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _rows(rng: random.Random) -> Iterator[dict[str, Any]]:
    written = number = 0
    while written < EVENTS:
        number += 1
        # The last tenants have one event each.
        tenant = rng.randrange(TENANTS) if number > TENANTS // 10 else TENANTS + number
        copies = list(_copies(rng, _event(rng, number, tenant)))[: EVENTS - written]
        written += len(copies)
        yield from ({name: _text(rng, row[name]) for name in _COLUMNS} for row in copies)


def _event(rng: random.Random, number: int, tenant: int) -> dict[str, Any]:
    channel = rng.choice(("call", "message", "email", "ticket", "ticket", "maintenance_request", "work_order"))
    # Many tenants begin late: some have too little history, some provisional.
    log = timedelta(days=(420, 420, 420, 400, 170, 95, 90, 89, 30)[tenant % 9])
    opened = AS_OF + timedelta(days=2) - rng.random() * (log + timedelta(days=2))
    if rng.random() < 0.05:
        opened = rng.choice(_EDGES)
    if rng.random() < 0.1:
        opened = opened.replace(minute=0, second=0, microsecond=0)  # ties in time
    response = opened + rng.random() * timedelta(hours=rng.choice((0, 1, 30, 5_000)))
    resolved = response + rng.random() * timedelta(hours=rng.choice((0, 2, 90, 9_000)))
    response, resolved = (min(moment, _EXPORTED) for moment in (response, resolved))
    started = rng.choice((None, None, AS_OF - timedelta(days=200), WINDOW_START, AS_OF, opened + timedelta(days=9)))
    return {
        "event_id": rng.choice(("E", "Ü", "件", "🎫")) + str(number),
        "tenant_id": f"{('T', 'ß', '租', 't')[tenant % 4]}{tenant}",
        "portfolio_id": rng.choice(_PORTFOLIOS),
        "channel": channel.upper() if rng.random() < 0.05 else channel,
        "direction": rng.choice(("inbound", "outbound")) if channel in _CONVERSATIONS else None,
        "opened_at": opened,
        "first_response_at": rng.choice((None, response, AS_OF if opened <= AS_OF else None)),
        "resolved_at": rng.choice((None, resolved, AS_OF - _MICROSECOND if opened < AS_OF else None)),
        "answered": rng.choice((None, True, False)),
        "escalated": rng.choice((None, False, False, True)),
        "sentiment": rng.choice((None, "positive", "neutral", "negative")),
        "recorded_at": rng.choice((None, None, opened, resolved, AS_OF, AS_OF - _MICROSECOND)),
        "tenancy_start_at": started,
        "tenancy_end_at": rng.choice((None, None, None, AS_OF, AS_OF - timedelta(days=40), AS_OF + _MICROSECOND)),
    }


def _copies(rng: random.Random, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Mostly once; or exactly again, resolved again, or again with something else."""
    yield event
    if rng.random() < 0.01:
        yield event | {"opened_at": rng.choice(("yesterday", "", None, "9999-12-31"))}  # refused
    while rng.random() < 0.15:
        yield event | rng.choice(
            (
                {},
                {"resolved_at": event["opened_at"] + rng.random() * timedelta(days=40)},
                {"first_response_at": event["opened_at"] + rng.random() * timedelta(days=4)},
                {"tenant_id": f"T{rng.randrange(TENANTS)}", "portfolio_id": rng.choice(_PORTFOLIOS)},
                {"opened_at": event["opened_at"] - timedelta(hours=rng.randrange(3)), "escalated": None},
                {"recorded_at": rng.choice((None, AS_OF, event["opened_at"] + timedelta(days=rng.randrange(9))))},
                {"sentiment": None, "answered": None, "tenancy_start_at": None},
            )
        )


def _text(rng: random.Random, value: Any) -> str | None:
    if isinstance(value, bool):
        return rng.choice(("true", "TRUE", "1", "t") if value else ("false", "False", "0", "f"))
    if not isinstance(value, datetime):
        return value  # type: ignore[no-any-return]
    text = value.astimezone(rng.choice(_ZONES)).isoformat(sep=rng.choice("T "), timespec="microseconds")
    # A part of a microsecond more, which no engine may keep.
    return text[:26] + rng.choice(("", "", "4", "6", "999")) + text[26:]
