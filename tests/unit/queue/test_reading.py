"""Files of the queue are read as releases read theirs."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import yaml

from tenant_experience.errors import UserError
from tenant_experience.pseudonyms import pseudonym
from tenant_experience.queue.message import QueueRow
from tenant_experience.queue.reading import read_rows, source_of
from tenant_experience.queue.size import TooLargeForQueueError
from tests.support.inference_export import HEADER, inference_lines, write_inference
from tests.support.places import ROOT, SHARED_DATA
from tests.support.requirements import needs_shared_data

CHURN = ROOT / "use_cases" / "telecom_churn"
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))


def read(path: Path, definition: Path = CHURN, key: bytes | None = None) -> list[QueueRow]:
    folder = path.parent
    scratch = folder.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    with read_rows(folder, definition, AS_OF, key, scratch) as found:
        rows = list(found.rows)
    assert len(rows) == found.count
    return rows


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "file"
    folder.mkdir()
    return folder


def test_one_hot_columns_and_a_broken_header_become_features_and_the_file_names_the_dimension(place: Path) -> None:
    rows = read(write_inference(place / "dim_2_test.csv", inference_lines(10, without_truth=[4])))
    assert [row.row for row in rows] == list(range(1, 11))
    assert {row.partition for row in rows} == {"DummyDim2"}
    assert [row.truth is None for row in rows] == [row.row == 4 for row in rows]
    assert {row.truth for row in rows} - {None} == {"stays", "leaves"}
    assert all(row.id and row.id.startswith("dim_2_test ") for row in rows)
    first = rows[0].features
    assert first is not None
    assert {name for name in first if name.endswith("charge")} == set()
    cells = inference_lines(1)[0].split(",")
    assert first["account_length"] == float(cells[1])
    assert first["state"] in ("OH", "PA", "SC", "TX", "WA")
    assert first["international_plan"] == ("yes" if cells[-3] == "1.0" else "no")
    assert first["voice_mail_plan"] == ("yes" if cells[-1] == "1.0" else "no")


@needs_shared_data("telecom_churn")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_real_files_are_read_whole(place: Path, number: int) -> None:
    content = (SHARED_DATA / "telecom_churn" / "inference" / f"dim_{number}_test.csv").read_bytes()
    path = place / f"dim_{number}_test.csv"
    path.write_bytes(content)
    rows = read(path)
    assert (len(rows), len({row.id for row in rows})) == (10, 10)
    assert {row.partition for row in rows} == {f"DummyDim{number}"}
    assert {len(row.features or {}) for row in rows} == {15}
    assert [row.truth for row in rows] == [
        "leaves" if line.startswith("1") else "stays" for line in content.decode().splitlines()[1:]
    ]


def test_each_row_that_cannot_be_read_fails_alone_with_its_reason_and_line(place: Path) -> None:
    lines = inference_lines(9)
    lines[2] = lines[2].replace(lines[2].split(",")[3], "many", 1)  # a number that is none
    lines[4] = "only,three,cells"
    lines[6] = "perhaps" + lines[6][1:]  # a truth that is no class
    rows = read(write_inference(place / "dim_1.csv", lines))
    assert [row.row for row in rows] == list(range(1, 10))
    failed = {row.line: row.failure for row in rows if row.failure}
    assert failed == {4: "not_a_number: day_minutes", 6: "ragged_row: Day Mins", 8: "unknown_class: churn"}
    assert sum(row.features is not None for row in rows) == 6


def test_the_truth_may_be_missing_from_the_file(place: Path) -> None:
    path = place / "dim_3.csv"
    path.write_text("\n".join(line.partition(",")[2] for line in [HEADER, *inference_lines(3)]) + "\n")
    rows = read(path)
    assert [(row.truth, row.failure) for row in rows] == [(None, "")] * 3


def test_a_header_alone_has_no_rows(place: Path) -> None:
    assert read(write_inference(place / "dim_1.csv", [])) == []


def test_rows_with_one_id_stay_as_many_as_they_are(place: Path) -> None:
    line = inference_lines(1)[0]
    rows = read(write_inference(place / "dim_1.csv", [line, line, line]))
    assert [row.row for row in rows] == [1, 2, 3]
    assert len({row.id for row in rows}) == 1


def ids_alone(path: Path, name: str = "customer_id") -> Path:
    ids = ["C 1", "C 2", "#REF!", " C 3 "]
    match path.suffixes:
        case [".csv", ".gz"]:
            path.write_bytes(gzip.compress("\n".join([f'\ufeff"{name}"', *ids]).encode()))
        case [".csv"]:
            path.write_text("\n".join([name.upper(), *ids]) + "\n")
        case [".jsonl"]:
            path.write_text("".join(json.dumps({name: each}) + "\n" for each in ids))
        case [".json"]:
            path.write_text(json.dumps([{name: each} for each in ids]))
        case _:
            parquet.write_table(pa.table({name: ids}), path)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.json", "a.parquet"])
def test_a_file_of_ids_alone_has_no_features(place: Path, name: str) -> None:
    rows = read(ids_alone(place / name))
    assert [row.id for row in rows] == ["C 1", "C 2", None, "C 3"]
    assert all(row.features is None for row in rows)
    assert rows[2].failure == "malformed_id: customer_id"


def test_ids_of_a_use_case_whose_rows_are_events_go_through_the_queue_too(place: Path) -> None:
    path = place / "tenants.csv"
    path.write_text("tenant_id\nT1\nT2\n")
    assert [row.id for row in read(path, ROOT / "use_cases" / "tenant_experience")] == ["T1", "T2"]


def test_events_are_for_score_batch(place: Path) -> None:
    path = place / "tickets.csv"
    path.write_text("event_id,tenant_id,channel,opened_at\n1,T1,call,2026-01-01T00:00:00Z\n")
    with pytest.raises(TooLargeForQueueError, match="the source 'events' reads events"):
        read(path, ROOT / "use_cases" / "tenant_experience")


def changed(folder: Path, **keys: Any) -> Path:
    """The use case with other keys."""
    (folder / "sources").mkdir(parents=True)
    document = yaml.safe_load((CHURN / "use_case.yaml").read_text()) | keys
    (folder / "use_case.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    for source in (CHURN / "sources").iterdir():
        (folder / "sources" / source.name).write_text(source.read_text())
    return folder


def test_a_file_with_one_row_too_many_is_for_score_batch(place: Path, tmp_path: Path) -> None:
    small = changed(tmp_path / "small", inference={"source": "inference", "queue_rows": 5})
    path = write_inference(place / "dim_1.csv", [*inference_lines(4), "ragged"])
    assert len(read(path, small)) == 5
    with pytest.raises(TooLargeForQueueError, match="more than 5 rows"):
        read(write_inference(path, [*inference_lines(5), "ragged"]), small)


def test_ids_become_pseudonyms_and_nothing_else_of_a_failed_row_is_sent(place: Path) -> None:
    key = b"k" * 64
    path = write_inference(place / "dim_1.csv", [*inference_lines(2), "ragged"])
    plain, hidden = read(path), read(path, key=key)
    assert [row.id for row in hidden] == [pseudonym(key, row.id) if row.id else None for row in plain]
    assert [row.features for row in hidden] == [row.features for row in plain]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"", "empty_file"),
        ("a.xlsx", b"PK\x03\x04", "unknown_extension"),
        ("a.csv", b"x,y\n1,2\n", "missing_column"),
        ("a.csv.gz", gzip.compress(b"customer_id\nC1\n")[:-6], "corrupt_file"),
        ("a.parquet", b"PAR1 and no more", "corrupt_file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(place: Path, name: str, content: bytes, code: str) -> None:
    path = place / name
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        read(path)
    assert refusal.value.code == code


def test_a_parquet_file_that_was_cut_off_is_refused(place: Path) -> None:
    path = place / "dim_1.parquet"
    parquet.write_table(pa.table({"customer_id": [f"C{number}" for number in range(10_000)]}), path)
    path.write_bytes(path.read_bytes()[:-1_000])
    with pytest.raises(UserError) as refusal:
        read(path)
    assert refusal.value.code == "corrupt_file"


def test_a_file_that_is_handed_over_is_read_by_the_same_source(place: Path, tmp_path: Path) -> None:
    write_inference(place / "dim_2.csv", inference_lines(2))
    assert source_of(place, CHURN, tmp_path / "names") == "inference"
    (place / "dim_2.csv").write_text("customer_id\nC 1\n")
    assert source_of(place, CHURN, tmp_path / "names") is None
    (place / "more.csv.gz").write_bytes(gzip.compress(b"customer_id\nC 2\n"))
    assert source_of(place, CHURN, tmp_path / "names") is None
    (place / "rows.csv").write_text("customer_id,plan\nC 3,a\n")
    assert source_of(place, CHURN, tmp_path / "names") == "inference"
