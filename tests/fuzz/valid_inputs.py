"""Valid batches of every kind, small: what the mutations begin with."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tests.support.places import USE_CASE_FOLDER

RAW = "raw"
USE_CASE = "use_case/use_case.yaml"
FEATURES_SQL = "use_case/features.sql"
MANIFEST = f"{RAW}/manifest.json"
# Nobody but the quarantine is told what a file holds: neither ids nor, at all, columns that no source reads.
TENANT = "Tsecret"
NOTE = "canary words that no source reads"

EVENT_COLUMNS = (
    *("event_id", "tenant_id", "portfolio_id", "channel", "direction", "opened_at", "first_response_at"),
    *("resolved_at", "answered", "escalated", "sentiment", "recorded_at", "notes"),
)
FEATURES = ("total_tickets", "mean_full_resolution_hr", "answer_rate")
TABLE_COLUMNS = ("household_id", *FEATURES, "notes")


@dataclass
class Table:
    """Rows of text, and names of columns, of which two may be the same."""

    columns: list[str]
    rows: list[list[str]]


@dataclass
class Batch:
    """Files below ``processing/input``: path -> content; and the one that is to be mutated."""

    files: dict[str, bytes]
    target: str
    done: list[str] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        return self.files[self.target]

    @content.setter
    def content(self, content: bytes) -> None:
        self.files[self.target] = content

    def rename(self, name: str) -> None:
        content = self.files.pop(self.target)
        self.target = f"{RAW}/{name}"
        self.files[self.target] = content


def events(rng: Random, rows: int = 90) -> Table:
    table = []
    for number in range(rows):
        opened = f"2026-{1 + number % 10:02d}-{1 + rng.randrange(28):02d}"
        channel = rng.choice(["ticket", "ticket", "call", "maintenance_request", "work_order"])
        table.append(
            [
                *(f"E{rng.randrange(10 * rows)}", f"{TENANT}{number % 9}", f"p{number % 3}", channel),
                "inbound" if channel == "call" else "",
                f"{opened}T08:00:00Z",
                rng.choice(["", f"{opened}T09:30:00+00:00"]),
                rng.choice(["", f"{opened} 23:59:59.5Z"]),
                *(rng.choice(["", "true", "false"]), rng.choice(["", "false", "true"])),
                rng.choice(["", "positive", "negative"]),
                rng.choice(["", "", f"{opened}T10:00:00Z"]),
                rng.choice(["", NOTE, f'"{NOTE}",\nsecond line']),
            ]
        )
    return Table(list(EVENT_COLUMNS), table)


def tenants(rng: Random, rows: int = 40) -> Table:
    table = [[f"{TENANT}{n}", *(f"{rng.random():.6f}" for _ in FEATURES), NOTE] for n in range(rows)]
    return Table(list(TABLE_COLUMNS), table)


def as_csv(table: Table, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([table.columns, *table.rows])
    return text.getvalue().encode("utf-8", "surrogateescape")


def as_json_lines(table: Table) -> bytes:
    records = (dict(zip(table.columns, row, strict=False)) for row in table.rows)
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode("utf-8", "surrogateescape")


def as_arrow(table: Table) -> pa.Table:
    texts = [
        [row[place].encode("utf-8", "replace").decode() if place < len(row) else None for row in table.rows]
        for place in range(len(table.columns))
    ]
    names = [name.encode("utf-8", "replace").decode() for name in table.columns]
    return pa.Table.from_arrays([pa.array(column, pa.string()) for column in texts], names)


def as_parquet(table: Table) -> bytes:
    written = io.BytesIO()
    pq.write_table(as_arrow(table), written)
    return written.getvalue()


def packed(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    archive_bytes = io.BytesIO()
    with zipfile.ZipFile(archive_bytes, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return archive_bytes.getvalue()


def as_zip(table: Table) -> bytes:
    halves = [Table(table.columns, table.rows[start::2]) for start in (0, 1)]
    return packed({"in/a.csv": as_csv(halves[0]), "in/b.parquet": as_parquet(halves[1])})


FORMATS: dict[str, Callable[[Table], bytes]] = {
    "csv": as_csv,
    "csv.gz": lambda table: gzip.compress(as_csv(table), mtime=0),
    "jsonl": as_json_lines,
    "jsonl.gz": lambda table: gzip.compress(as_json_lines(table), mtime=0),
    "parquet": as_parquet,
    "zip": as_zip,
}
SETTINGS = {"manifest": MANIFEST, "use_case": USE_CASE, "source": "use_case/sources/events.yaml"}
KINDS = (*(f"events.{f}" for f in FORMATS), *(f"table.{f}" for f in FORMATS), *SETTINGS)


@cache
def use_case_files() -> dict[str, bytes]:
    """The use case with three of its features and gates that small batches can pass."""
    files = {
        f"use_case/{path.relative_to(USE_CASE_FOLDER).as_posix()}": path.read_bytes()
        for path in USE_CASE_FOLDER.rglob("*")
        if path.is_file()
    }
    use_case = yaml.safe_load(files[USE_CASE])
    left_out = use_case["features"].keys() - set(FEATURES)
    # features.sql gives each feature in a line of its own, and no others than the use case declares.
    kept = [
        line
        for line in files[FEATURES_SQL].decode().splitlines()
        if line.rpartition(" AS ")[2].rstrip(",") not in left_out
    ]
    use_case["features"] = {name: use_case["features"][name] for name in FEATURES}
    # These name features that are left out here.
    for key in ("risk", "contacts", "targets"):
        use_case.pop(key, None)
    for feature in use_case["features"].values():
        feature.pop("noise", None)
    use_case["clustering"] |= {"markers": [FEATURES[1], FEATURES[2]], "checks": [FEATURES[0]]}
    use_case["gates"] |= {"quarantine_share": 0.6, "pooled_tenants": 2}
    table = yaml.safe_load(files["use_case/sources/tenant_table.yaml"])
    table["columns"] = {"tenant_id": "household_id"} | {name: name for name in FEATURES}
    return files | {
        FEATURES_SQL: "\n".join(kept).encode(),
        USE_CASE: yaml.safe_dump(use_case, sort_keys=False).encode(),
        "use_case/sources/tenant_table.yaml": yaml.safe_dump(table, sort_keys=False).encode(),
    }


def valid_batch(kind: str, table: Table | None = None) -> Batch:
    """A batch of one of ``KINDS``; events come with a second file, which stays whole.

    Args:
        kind: what is to be mutated.
        table: other rows than the usual ones.
    """
    source, _, extension = kind.rpartition("table.") if kind.startswith("table.") else kind.rpartition("events.")
    is_table = kind.startswith("table.")
    rng = Random(kind)
    manifest = {"source": "tenant_table"} if is_table else {"source": "events", "as_of": "2026-11-01T00:00:00Z"}
    files = dict(use_case_files()) | {MANIFEST: json.dumps(manifest).encode()}
    if kind in SETTINGS:
        return Batch(files | {f"{RAW}/events.csv": as_csv(events(rng))}, SETTINGS[kind])
    if not is_table:
        files[f"{RAW}/more.csv"] = as_csv(events(Random(0), 40))
    target = f"{RAW}/{source or 'data'}.{extension}"
    content = FORMATS[extension](table or (tenants(rng) if is_table else events(rng)))
    return Batch(files | {target: content}, target)
