"""Ids that differ only in case are one tenant or two, as the use case declares, in every format."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.intake.table import read_table
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import load_source
from tests.support.cased_ids import use_case_without_case
from tests.support.places import USE_CASE_FOLDER
from tests.support.raw_reading import GOOD, HEADER, Read

FORMATS = ["csv", "jsonl", "parquet"]
# Written -> the id when case does not count. The letters A to Z have a case, no others.
IDS = {
    "t1": "t1",
    "T1": "t1",
    " T1 ": "t1",
    "T 1": "t 1",
    "Ann@EXAMPLE.com": "ann@example.com",
    "123.0": "123",
    "RENE\u0301E": "ren\u00c9e",
    "REN\u00c9E": "ren\u00c9e",
    "STRASSE": "strasse",
    "Stra\u00dfe": "stra\u00dfe",
    "\u0130zmir": "\u0130zmir",
    "\u039f\u03a3": "\u039f\u03a3",
    "H\u0331": "\u1e96",
    "\u212aIM": "kim",
}


def write(folder: Path, extension: str, rows: list[dict[str, str]]) -> Path:
    folder.mkdir()
    if extension == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    elif extension == "jsonl":
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = [list(rows[0]), *([*row.values()] for row in rows)]
        (folder / "rows.csv").write_text("".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in lines))
    return folder


@pytest.mark.parametrize("extension", FORMATS)
def test_the_case_of_tenants_counts_as_declared_and_that_of_events_always(tmp_path: Path, extension: str) -> None:
    good = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))
    rows = [good | {"event_id": f"E{place:02d}", "tenant_id": text} for place, text in enumerate(IDS)]
    rows += [good | {"event_id": "X1", "portfolio_id": "Elm"}, good | {"event_id": "x1", "portfolio_id": "elm"}]
    raw = write(tmp_path / "raw", extension, rows)
    read = Read(raw, use_case_without_case(tmp_path))
    assert [event["tenant_id"] for event in read.events if event["event_id"] < "X"] == list(IDS.values())
    assert {event["portfolio_id"] for event in read.events if event["event_id"] in ("X1", "x1")} == {"Elm", "elm"}
    assert {"t1", "T1"} < {event["tenant_id"] for event in Read(raw).events}


@pytest.mark.parametrize("extension", FORMATS)
def test_two_rows_of_a_table_whose_ids_differ_only_in_case_are_one_when_case_does_not_count(
    tmp_path: Path, extension: str
) -> None:
    columns = load_source(USE_CASE_FOLDER, "tenant_table", load_use_case(USE_CASE_FOLDER)).columns
    rows = [dict.fromkeys(columns.values(), "0.5") | {columns["tenant_id"]: text} for text in ("T1", "t1", "T2")]
    write(tmp_path / "raw", extension, rows)
    write(tmp_path / "one", extension, rows[1:])
    insensitive = use_case_without_case(tmp_path)
    assert table_ids(tmp_path / "raw", USE_CASE_FOLDER) == ["T1", "T2", "t1"]
    assert table_ids(tmp_path / "one", insensitive) == ["t1", "t2"]
    assert table_ids(tmp_path / "raw", insensitive) == ["t1", "t2"]


def table_ids(folder: Path, use_case_folder: Path) -> list[str]:
    use_case = load_use_case(use_case_folder)
    source = load_source(use_case_folder, "tenant_table", use_case)
    with open_session(folder) as (connection, scratch):
        read_table(DuckDbEngine(connection, scratch), find_raw_files(folder, source, scratch), source, use_case)
        return [row[0] for row in connection.sql("SELECT tenant_id FROM ready_made ORDER BY 1").fetchall()]


def test_a_tenant_has_one_pseudonym_also_in_rows_that_were_refused(tmp_path: Path) -> None:
    ids = ("ren\u00e9e 1", "RENe\u0301e 1", "Ren\u00e9e\u00a01")
    good = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))
    rows = [good | {"event_id": f"E{place}", "tenant_id": text} for place, text in enumerate(ids)]
    write(tmp_path / "raw", "jsonl", [*rows, *(row | {"channel": "fax"} for row in rows)])
    hidden = Pseudonyms(b"k" * 64, "tenant_id", "insensitive")
    read = Read(tmp_path / "raw", use_case_without_case(tmp_path), pseudonyms=hidden)
    expected = {hidden.of("ren\u00e9e 1")}
    assert ({event["tenant_id"] for event in read.events}, len(read.events)) == (expected, 3)
    assert ({row["raw_tenant_id"] for row in read.quarantine}, len(read.quarantine)) == (expected, 3)
