"""Writes generated events as the files of five systems, with the mistakes that real exports have."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = (
    *("event_id", "tenant_id", "portfolio_id", "channel", "direction", "opened_at", "first_response_at"),
    *("resolved_at", "answered", "escalated", "sentiment"),
)
_FILES = {
    "ticket": "tickets.csv",
    "maintenance_request": "maintenance_requests.csv",
    "call": "calls.csv.gz",
    "message": "messages.parquet",
    "email": "emails.parquet",
    "work_order": "work_orders.jsonl",
}
# The share of a file's rows for each kind of mistake. Duplicates are dropped; the others, 0.5% in all, are quarantined.
_DIRT = 0.0019

_Floats = npt.NDArray[np.float64]
_Texts = npt.NDArray[np.str_]


@dataclass
class EventTable:
    """Events of one channel, with one array per column. Times are seconds since ``began``, NaN when blank.

    Attributes:
        channel: the channel of all rows.
        began: the start of the log.
        who: index of the tenant, shape (rows,) like all other arrays.
        resolved_again: a second resolution of the same event, exported as a second row.
    """

    channel: str
    began: datetime
    who: npt.NDArray[np.int64]
    opened: _Floats
    response: _Floats
    resolution: _Floats
    resolved_again: _Floats
    direction: _Texts
    answered: _Texts
    escalated: npt.NDArray[np.bool_]
    sentiment: _Texts

    @classmethod
    def blank(cls, channel: str, who: npt.NDArray[np.int64], opened: _Floats, began: datetime) -> EventTable:
        """Events that were opened, and nothing else is known about them."""
        never, text = np.full(len(who), np.nan), np.full(len(who), "")
        return cls(channel, began, who, opened, never, never, never, text, text, np.zeros(len(who), bool), text)

    def times(self, seconds: _Floats) -> _Texts:
        """The times as text, such as ``2026-11-01T10:00:00Z``; empty for NaN."""
        start = np.datetime64(self.began.astimezone(UTC).replace(tzinfo=None), "s")
        stamps = start + np.nan_to_num(seconds).astype("timedelta64[s]")
        return np.where(np.isnan(seconds), "", np.char.add(np.datetime_as_string(stamps, unit="s"), "Z"))


def write_files(
    folder: Path, tables: list[EventTable], tenant_ids: _Texts, portfolio_ids: _Texts, rng: np.random.Generator
) -> int:
    """Write one file per table; returns how many rows were written.

    Args:
        folder: made when missing.
        tables: one per channel.
        tenant_ids: shape (tenants,).
        portfolio_ids: the portfolio of each tenant, shape (tenants,).
        rng: decides which rows get mistakes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = 0
    for table in tables:
        columns = _columns(table, tenant_ids, portfolio_ids)
        path = folder / _FILES[table.channel]
        if path.suffix == ".parquet":
            rows += _write_parquet(path, columns)
            continue
        columns = _dirty(columns, rng)
        rows += _write_json_lines(path, columns) if path.suffix == ".jsonl" else _write_csv(path, columns)
    return rows


def _columns(table: EventTable, tenant_ids: _Texts, portfolio_ids: _Texts) -> dict[str, _Texts]:
    count = len(table.who)
    prefix = "".join(word[0] for word in table.channel.split("_")).upper()
    columns = {
        "event_id": np.char.add(f"{prefix}-", np.arange(100_000, 100_000 + count).astype(str)),
        "tenant_id": tenant_ids[table.who],
        "portfolio_id": portfolio_ids[table.who],
        "channel": np.full(count, table.channel),
        "direction": table.direction,
        "opened_at": table.times(table.opened),
        "first_response_at": table.times(table.response),
        "resolved_at": table.times(table.resolution),
        "answered": table.answered,
        "escalated": np.where(table.escalated, "true", "false"),
        "sentiment": table.sentiment,
    }
    again = ~np.isnan(table.resolved_again)
    second = {name: values[again] for name, values in columns.items()}
    second["resolved_at"] = table.times(table.resolved_again)[again]
    return {name: np.concatenate([columns[name], second[name]]) for name in COLUMNS}


def _dirty(columns: dict[str, _Texts], rng: np.random.Generator) -> dict[str, _Texts]:
    """Add duplicates, then make some rows impossible; each kind of mistake gets rows of its own."""
    count = len(columns["event_id"])
    each = max(1, round(count * _DIRT)) if count >= 10 else 0
    copies = rng.choice(count, each, replace=False)
    columns = {name: np.concatenate([values, values[copies]]).astype(object) for name, values in columns.items()}
    places = rng.permutation(count)[: 4 * each].reshape(4, each)
    columns["opened_at"][places[0]] = "31/02/2026 25:61"
    columns["channel"][places[1]] = "fax"
    columns["tenant_id"][places[2]] = ""
    columns["resolved_at"][places[3]] = "2001-01-01T00:00:00Z"
    return {name: values.astype(str) for name, values in columns.items()}


def _write_csv(path: Path, columns: dict[str, _Texts]) -> int:
    lines = [",".join(COLUMNS), *map(",".join, zip(*(columns[name].tolist() for name in COLUMNS), strict=True))]
    # A line that was cut off, as happens in exports.
    lines.insert(len(lines) // 2, "TORN-1,T000000")
    data = ("\n".join(lines) + "\n").encode()
    # There is no time in the gzip header, so the same events give the same bytes.
    path.write_bytes(gzip.compress(data, compresslevel=4, mtime=0) if path.suffix == ".gz" else data)
    return len(lines) - 1


def _write_json_lines(path: Path, columns: dict[str, _Texts]) -> int:
    rows = zip(*(columns[name].tolist() for name in COLUMNS), strict=True)
    lines = [json.dumps({name: value for name, value in zip(COLUMNS, row, strict=True) if value}) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return len(lines)


def _write_parquet(path: Path, columns: dict[str, _Texts]) -> int:
    table = pa.table({name: pa.array(columns[name].tolist()) for name in COLUMNS})
    for name in ("opened_at", "first_response_at", "resolved_at"):
        texts = [value.rstrip("Z") or None for value in columns[name].tolist()]
        stamps = pa.array(texts, pa.string()).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
        table = table.set_column(table.schema.get_field_index(name), name, stamps)
    pq.write_table(table, path)
    return int(table.num_rows)
