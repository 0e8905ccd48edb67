"""What counts as missing: the same in every format, whatever a column holds."""

import gzip
import io
import json
import random
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.intake.scan import MISSING, tidied
from tenant_experience.intake.table import read_table
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import load_source
from tests.support.places import USE_CASE_FOLDER
from tests.support.raw_reading import USE_CASE, Read

MARKER = "N/A"
GOOD_EVENT = {
    "event_id": "E1",
    "tenant_id": "T1",
    "portfolio_id": "p",
    "channel": "ticket",
    "direction": "inbound",
    "opened_at": "2026-01-01T10:00:00Z",
    "first_response_at": "2026-01-01T11:00:00Z",
    "answered": "true",
    "sentiment": "positive",
}
# What a missing value makes of an event: the reason for quarantine, or what the column then holds.
EVENT_ANSWERS: dict[str, Any] = {
    "event_id": "missing_value",
    "tenant_id": "missing_value",
    "opened_at": "missing_value",
    "channel": "missing_value",
    "portfolio_id": "all",
    "direction": None,
    "first_response_at": None,
    "answered": None,
    "sentiment": None,
}
# Each is one spelling in text, and how a typed Parquet column says it.
TEXTS = ("", "  ", "\u00a0", *MISSING, MARKER)
ARRAYS = {
    "float NaN": pa.array([float("nan")], pa.float64()),
    "float32 NaN": pa.array([float("nan")], pa.float32()),
    "NaT": pa.array(pd.Series([pd.NaT], dtype="datetime64[ns]")),
    "timedelta NaT": pa.array(pd.Series([pd.NaT], dtype="timedelta64[ns]")),
    "None": pa.array([None], pa.string()),
    "no type": pa.array([None], pa.null()),
    **{
        f"pandas {kind}": pa.array(pd.Series([pd.NA], dtype=kind))
        for kind in ("Int64", "Float64", "boolean", "string", "category")
        if kind != "category"
    },
    "pandas category": pa.array(pd.Series([None], dtype="category")),
}
# Every array is tried by `make test-slow`.
SOME_ARRAYS = [name if place < 3 else pytest.param(name, marks=pytest.mark.slow) for place, name in enumerate(ARRAYS)]
TABLE_COLUMNS = ("total_tickets", "answer_rate")
FORMATS = ("csv", "csv.gz", "jsonl", "parquet")


@pytest.fixture
def use_case(tmp_path: Path) -> Path:
    """The use case with a null marker in both of its sources."""
    folder = tmp_path / "tenant_experience"
    (folder / "sources").mkdir(parents=True)
    for name in ("use_case.yaml", "features.sql"):
        (folder / name).write_text((USE_CASE_FOLDER / name).read_text())
    for name in ("events", "tenant_table"):
        text = (USE_CASE_FOLDER / "sources" / f"{name}.yaml").read_text()
        (folder / "sources" / f"{name}.yaml").write_text(f'{text}\nnull_markers: ["{MARKER}"]\n')
    return folder


def write(folder: Path, extension: str, rows: list[dict[str, Any]]) -> None:
    """The same rows in one format; in Parquet all columns are text."""
    folder.mkdir(parents=True)
    if extension == "jsonl":
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    elif extension == "parquet":
        packed = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), packed)
        content = packed.getvalue()
    else:
        content = pd.DataFrame(rows).to_csv(index=False).encode()
    (folder / f"rows.{extension}").write_bytes(gzip.compress(content) if extension.endswith("gz") else content)


def event_rows() -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """One event for each spelling and column, and what is missing in it."""
    cells = list(product(TEXTS, EVENT_ANSWERS))
    rows = [
        GOOD_EVENT | {"event_id": f"E{place}", "resolved_at": "", column: text}
        for place, (text, column) in enumerate(cells)
    ]
    return rows, cells


def answers(read: Read, cells: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """For each cell: the reason why its row was refused, or what its column holds."""
    found: dict[tuple[str, str], Any] = {}
    events = {event["event_id"]: event for event in read.events}
    refused = {row["raw_event_id"]: (row["reason"], row["column_name"]) for row in read.quarantine}
    without_id = sum(row["column_name"] == "event_id" for row in read.quarantine)
    for place, (text, column) in enumerate(cells):
        if column == "event_id":
            found[text, column] = "missing_value" if without_id == len(TEXTS) else f"{without_id} refused"
        elif f"E{place}" in events:
            found[text, column] = events[f"E{place}"][column]
        else:
            reason, named = refused[f"E{place}"]
            found[text, column] = reason if named == column else (reason, named)
    return found


@pytest.mark.parametrize("extension", FORMATS)
def test_every_spelling_is_missing_in_every_column_of_events(tmp_path: Path, use_case: Path, extension: str):
    rows, cells = event_rows()
    write(tmp_path / "raw", extension, rows)
    found = answers(Read(tmp_path / "raw", use_case), cells)
    assert found == {(text, column): EVENT_ANSWERS[column] for text, column in cells}


@pytest.mark.parametrize("spelling", SOME_ARRAYS)
def test_every_typed_column_without_a_value_is_missing_in_events(tmp_path: Path, use_case: Path, spelling: str):
    for column, expected in EVENT_ANSWERS.items():
        columns = {name: pa.array([value]) for name, value in GOOD_EVENT.items()}
        columns |= {"resolved_at": pa.array([None], pa.string()), column: ARRAYS[spelling]}
        raw = tmp_path / column
        raw.mkdir()
        pq.write_table(pa.table(columns), raw / "rows.parquet")
        read = Read(raw, use_case)
        if expected == "missing_value":
            assert read.reasons == [("missing_value", column, 1)], column
        else:
            assert [event[column] for event in read.events] == [expected], column


@pytest.mark.parametrize("value", [None, ...])
def test_a_json_null_and_an_absent_key_are_missing(tmp_path: Path, use_case: Path, value: object):
    rows = []
    for place, column in enumerate(EVENT_ANSWERS):
        row = GOOD_EVENT | {"event_id": f"E{place}", "resolved_at": None, column: None}
        rows.append({name: each for name, each in row.items() if value is None or name != column})
    write(tmp_path / "raw", "jsonl", rows)
    read = Read(tmp_path / "raw", use_case)
    assert sorted(row["column_name"] for row in read.quarantine) == ["channel", "event_id", "opened_at", "tenant_id"]
    assert {row["reason"] for row in read.quarantine} == {"missing_value"}
    assert len(read.events) == len(EVENT_ANSWERS) - 4


def tables(folder: Path, use_case_folder: Path) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The rows of a ready-made table, and what was refused."""
    use_case = load_use_case(use_case_folder)
    source = load_source(use_case_folder, "tenant_table", use_case)
    with open_session(folder) as (connection, scratch):
        read_table(DuckDbEngine(connection, scratch), find_raw_files(folder, source, scratch), source, use_case)
        rows = connection.sql("FROM ready_made ORDER BY tenant_id").to_arrow_table().to_pylist()
        refused = connection.sql("SELECT reason, column_name FROM quarantine").fetchall()
    return rows, refused


def household(place: int) -> dict[str, Any]:
    source = load_source(USE_CASE_FOLDER, "tenant_table", USE_CASE)
    return dict.fromkeys(source.columns.values(), "0.5") | {source.columns["tenant_id"]: f"H{place:03d}"}


@pytest.mark.parametrize("extension", FORMATS)
def test_every_spelling_is_missing_in_every_number_and_id_of_a_table(tmp_path: Path, use_case: Path, extension: str):
    cells = list(product(TEXTS, TABLE_COLUMNS))
    rows = [household(place) | {column: text} for place, (text, column) in enumerate(cells)]
    rows += [household(999) | {"household_id": text} for text in TEXTS]
    write(tmp_path / "raw", extension, rows)
    found, refused = tables(tmp_path / "raw", use_case)
    assert [row[column] for row, (_, column) in zip(found, cells, strict=True)] == [None] * len(cells)
    assert refused == [("missing_value", "tenant_id")] * len(TEXTS)


@pytest.mark.parametrize("spelling", ARRAYS)
def test_every_typed_column_without_a_value_is_missing_in_a_table(tmp_path: Path, use_case: Path, spelling: str):
    for column in TABLE_COLUMNS:
        raw = tmp_path / column
        raw.mkdir()
        columns = {name: pa.array([value]) for name, value in household(1).items()} | {column: ARRAYS[spelling]}
        pq.write_table(pa.table(columns), raw / "rows.parquet")
        rows, refused = tables(raw, use_case)
        assert ([row[column] for row in rows], refused) == ([None], []), column


@pytest.mark.parametrize(("value", "expected"), [(1.0, True), (0.0, False), (0.5, None), (2.0, None), (-1.0, None)])
@pytest.mark.parametrize("extension", [*FORMATS, "typed"])
def test_only_the_numbers_0_and_1_are_flags(tmp_path: Path, extension: str, value: float, expected: object):
    rows = [GOOD_EVENT | {"resolved_at": "", "answered": str(value)}]
    write(tmp_path / "raw", "parquet" if extension == "typed" else extension, rows)
    if extension == "typed":
        # A second row with NaN: DuckDB concludes from a Parquet file's minimum and maximum that there is none.
        table = pa.Table.from_pylist([rows[0], rows[0] | {"event_id": "E2"}])
        table = table.set_column(table.column_names.index("answered"), "answered", pa.array([value, float("nan")]))
        pq.write_table(table, tmp_path / "raw" / "rows.parquet")
    read = Read(tmp_path / "raw")
    first = [event["answered"] for event in read.events if event["event_id"] == "E1"]
    assert first == ([] if expected is None else [expected])
    assert read.reasons == ([("unreadable_flag", "answered", read.reasons[0][2])] if expected is None else [])
    assert [event["answered"] for event in read.events if event["event_id"] == "E2"] == [None] * (extension == "typed")


def test_a_time_is_still_read_beside_missing_ones(tmp_path: Path):
    stamps = pa.array([None, datetime(2026, 1, 1, 12)], pa.timestamp("us"))
    columns = {name: pa.array([value] * 2) for name, value in (GOOD_EVENT | {"resolved_at": ""}).items()}
    columns |= {"event_id": pa.array(["E1", "E2"]), "first_response_at": stamps}
    (tmp_path / "raw").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "raw" / "rows.parquet")
    assert [event["first_response_at"] for event in Read(tmp_path / "raw").events] == [None, datetime(2026, 1, 1, 12)]


def test_a_text_is_trimmed_and_missing_when_all_of_it_is_a_marker():
    rng = random.Random(0)
    markers = ["-", "x", "unknown", "k. A."]
    parts = [
        "",
        " ",
        "\n",
        "-",
        "x",
        "unknown",
        "k. A.",
        "NaN",
        "nan",
        "null",
        "NULL",
        "N",
        "\u00e9",
        "\u00a0",
        "a",
        "\t",
    ]
    texts = ["".join(rng.choices(parts, k=rng.randrange(1, 5))) for _ in range(20_000)]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE texts AS SELECT unnest($1) AS a", [texts])
        found = connection.execute(f"SELECT {tidied('a', {'a': 'VARCHAR'}, markers)} FROM texts").fetchall()  # noqa: S608
    trimmed = [text.strip(" \u00a0") for text in texts]
    assert [text for (text,) in found] == [None if text in ("", *MISSING, *markers) else text for text in trimmed]
