"""Events written as people's exports write them: any format, any spelling of the same values."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq

Event = dict[str, object]

TIMES = ("opened_at", "first_response_at", "resolved_at", "tenancy_start_at", "tenancy_end_at", "recorded_at")
FLAGS = ("answered", "escalated")
TEXTS = ("event_id", "tenant_id", "portfolio_id", "channel", "direction", "sentiment", "notes")
COLUMNS = (*TEXTS[:5], *TIMES[:3], *FLAGS, "sentiment", *TIMES[3:], "notes")
_KATHMANDU = timezone(timedelta(hours=5, minutes=45))


def _text(value: object, zone: timezone) -> str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).astimezone(zone).isoformat()
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def as_csv(events: list[Event]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_text(event[column], UTC) for column in COLUMNS] for event in events)
    return text.getvalue().encode()


def as_json_lines(events: list[Event]) -> bytes:
    lines = []
    for event in events:
        record = {
            column: _text(value, _KATHMANDU) if column in TIMES else value
            for column, value in reversed(event.items())
            if value is not None or not lines  # the first line names every column; the others leave blanks out
        }
        lines.append(json.dumps(record, ensure_ascii=len(lines) % 2 == 0))
    return "\n".join(lines).encode()


def as_parquet(events: list[Event]) -> bytes:
    kinds = (
        dict.fromkeys(TEXTS, pa.string()) | dict.fromkeys(TIMES, pa.timestamp("us")) | dict.fromkeys(FLAGS, pa.bool_())
    )
    packed = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(events, schema=pa.schema(kinds.items())), packed)
    return packed.getvalue()


def as_zip(events: list[Event]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, name in enumerate(("in/a.csv", "in/b.parquet")):
            if part := events[place::2]:
                archive.writestr(name, FORMATS[name[len("in/a") :]](part))
    return packed.getvalue()


FORMATS: dict[str, Callable[[list[Event]], bytes]] = {
    ".csv": as_csv,
    ".csv.gz": lambda events: gzip.compress(as_csv(events), mtime=0),
    ".jsonl": as_json_lines,
    ".jsonl.gz": lambda events: gzip.compress(as_json_lines(events), mtime=0),
    ".parquet": as_parquet,
    ".zip": as_zip,
}
