"""Outcomes of tenants beside the events of a batch: read through the same doors, counted, and kept typed."""

import gzip
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import yaml

from demo.generate_events import generate
from tests.support.feature_job import FeatureJob
from tests.support.parameters import mostly_slow

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
ROWS = [
    ("T000001", "2026-10-01", "survey", "1"),
    ("T000001", "2026-10-01 00:00", "Survey", "1.0"),
    ("T000002", "2026-10-02T10:00:00+02:00", "Move-out", ""),
    ("\u200bT000003", "2026-10-02", "complaint", ""),
    ("T000003", "2026-10-02", "complaint", "3"),
    ("", "2026-10-02", "complaint", ""),
    ("T000004", "soon", "survey", "4"),
    ("T000004", "2026-10-02", "survey", "9"),
    ("T000004", "2026-10-02", "survey", "many"),
    ("X9", "2026-10-02", "survey", "4"),
    ("T000005", "2026-10-02", "party", ""),
    ("T000005", "2026-10-02", "survey", ""),
    ("T000005", "2027-10-02", "renewal", ""),
]
KEPT = [
    ("T000001", datetime(2026, 10, 1), "survey", 1.0),
    ("T000002", datetime(2026, 10, 2, 8), "move_out", None),
    ("X9", datetime(2026, 10, 2), "survey", 4.0),
]
REFUSED = {
    ("malformed_id", "tenant_id"): 1,
    ("unexpected_value", "value"): 1,
    ("missing_value", "tenant_id"): 1,
    ("unreadable_time", "happened_at"): 1,
    ("out_of_range", "value"): 1,
    ("not_a_number", "value"): 1,
    ("unknown_kind", "kind"): 1,
    ("missing_value", "value"): 1,
    ("future_time", "happened_at"): 1,
}
MANIFEST = {"as_of": "2026-11-01T00:00:00Z"}


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events")
    generate(folder, as_of=AS_OF, tenants=700, margin="wide")
    return folder


@pytest.fixture
def job(tmp_path: Path, events: Path) -> FeatureJob:
    made = FeatureJob(tmp_path)
    for file in events.iterdir():
        (made.raw / file.name).hardlink_to(file)
    return made


def as_csv() -> bytes:
    lines = ["tenant_id,at,kind,value", *(",".join(row) for row in ROWS)]
    return ("\n".join(lines) + "\n").encode()


def as_json_lines() -> bytes:
    names = ("tenant_id", "at", "kind", "value")
    return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in ROWS).encode()


def write_parquet(path: Path) -> None:
    table = pacsv.read_csv(
        pa.BufferReader(as_csv()),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(("tenant_id", "at", "kind", "value"), pa.string())
        ),
    )
    pq.write_table(table, path)


def write(raw: Path, how: str) -> None:
    match how:
        case "outcomes.csv" | "Outcomes.CSV":
            (raw / how).write_bytes(as_csv())
        case "outcomes.csv.gz":
            (raw / how).write_bytes(gzip.compress(as_csv()))
        case "outcomes.jsonl":
            (raw / how).write_bytes(as_json_lines())
        case "outcomes.parquet":
            write_parquet(raw / how)
        case "outcomes/2026/surveys.csv":
            (raw / how).parent.mkdir(parents=True)
            (raw / how).write_bytes(as_csv())
        case "outcomes.zip":
            with zipfile.ZipFile(raw / how, "w") as archive:
                archive.writestr("surveys.csv", as_csv())
        case "export.zip":  # with events beside the outcomes
            tickets = raw / "tickets.csv"
            with zipfile.ZipFile(raw / how, "w") as archive:
                archive.write(tickets, "tickets.csv")
                archive.writestr("outcomes.csv", as_csv())
            tickets.unlink()


WAYS = ["outcomes.csv", "outcomes.csv.gz", "outcomes.jsonl", "outcomes.parquet", "outcomes.zip", "export.zip"]


@pytest.mark.parametrize("how", mostly_slow([*WAYS, "Outcomes.CSV", "outcomes/2026/surveys.csv"], kept=[2, 3, 5]))
def test_outcomes_are_read_from_every_format(job: FeatureJob, how: str) -> None:
    write(job.raw, how)
    outcome = job.run(MANIFEST)
    assert outcome["status"] == "ok", outcome
    kept = pq.read_table(job.output("features") / "outcomes.parquet").to_pylist()
    assert [tuple(row.values()) for row in kept] == KEPT
    quality = job.read("reports/data_quality.json")
    found = quality["outcomes"]
    reasons = {(row["reason"], row["column"]): row["rows"] for row in found["intake"]["quarantined_by_reason"]}
    assert reasons == REFUSED
    assert (found["intake"]["rows"], found["intake"]["quarantined"], found["duplicates"]) == (13, 9, 1)
    assert found["by_kind"] == {"survey": 2, "complaint": 0, "move_out": 1, "renewal": 0}
    assert (found["of_known_tenants"], found["of_unknown_tenants"], found["unknown_tenants"]) == (2, 1, 1)
    refused = pq.read_table(job.output("quarantine") / "outcome_quarantine.parquet").to_pylist()
    assert len(refused) == 9
    # Neither the rows nor the refusals are counted among those of the events.
    assert "outcomes" not in " ".join(file["name"].lower().split("/")[-1] for file in quality["files"])
    assert any("rows of outcomes" in warning for warning in outcome["data_quality"]["warnings"])
    page = (job.output("reports") / "data_quality.html").read_text()
    assert "<b>1</b> outcomes of 1 unknown tenants" in page
    assert "survey 2," in page


def test_a_batch_without_outcomes_has_none(job: FeatureJob) -> None:
    assert job.run(MANIFEST)["status"] == "ok"
    assert not (job.output("features") / "outcomes.parquet").exists()
    assert "outcomes" not in job.read("reports/data_quality.json")


def test_outcomes_alone_are_no_batch(tmp_path: Path) -> None:
    job = FeatureJob(tmp_path)
    write(job.raw, "outcomes.csv")
    outcome = job.run(MANIFEST)
    assert outcome["code"] == "no_files"
    assert "the outcomes" in outcome["message"]


def test_another_source_maps_them_with_a_time_zone_and_cased_ids_of_its_own(job: FeatureJob) -> None:
    settings = yaml.safe_load((job.use_case / "use_case.yaml").read_text())
    (job.use_case / "use_case.yaml").write_text(yaml.safe_dump(settings | {"record_id_case": "insensitive"}))
    (job.use_case / "sources/polls.yaml").write_text(
        "kind: outcomes\n"
        "columns: {tenant_id: Who, happened_at: Wann, kind: \"'survey'\", value: CAST(Score AS DOUBLE) / 2}\n"
        "time_formats: ['%d.%m.%Y %H:%M']\ntime_zone: Europe/Berlin\ncsv: {delimiter: ';', encoding: utf-16}\n"
        "where: Score IS NOT NULL\n"
    )
    text = "Who;Wann;Score\nt000001;01.07.2026 12:00;4\nT000001;02.07.2026 12:00;\n"
    (job.raw / "outcomes.csv").write_bytes(text.encode("utf-16"))
    outcome = job.run(MANIFEST | {"outcomes": "polls"})
    assert outcome["status"] == "ok", outcome
    kept = pq.read_table(job.output("features") / "outcomes.parquet").to_pylist()
    assert [tuple(row.values()) for row in kept] == [("t000001", datetime(2026, 7, 1, 10), "survey", 2.0)]
    found = job.read("reports/data_quality.json")["outcomes"]
    assert (found["source"], found["of_known_tenants"], found["intake"]["filtered"]) == ("polls", 1, 1)


@pytest.mark.parametrize(
    ("manifest", "code"),
    [({"outcomes": "nobodys"}, "unknown_source"), ({"outcomes": "events"}, "invalid_source")],
)
def test_a_wrong_source_of_outcomes_is_refused(job: FeatureJob, manifest: dict, code: str) -> None:
    write(job.raw, "outcomes.csv")
    outcome = job.run(MANIFEST | manifest)
    assert outcome["code"] == code
    if code == "unknown_source":
        assert outcome["message"].endswith("choose one of outcomes")


def test_a_source_of_outcomes_cannot_read_a_batch(job: FeatureJob) -> None:
    outcome = job.run(MANIFEST | {"source": "outcomes"})
    assert outcome["code"] == "invalid_source"
    assert "beside" in outcome["message"]


def test_a_file_that_lacks_a_column_is_refused_by_name(job: FeatureJob) -> None:
    (job.raw / "outcomes.csv").write_text("tenant_id,kind\nT000001,complaint\n")
    outcome = job.run(MANIFEST)
    assert outcome["code"] == "missing_column"
    assert "outcomes.csv" in outcome["message"]


def test_a_use_case_without_outcomes_reads_the_file_as_before(job: FeatureJob) -> None:
    settings = yaml.safe_load((job.use_case / "use_case.yaml").read_text())
    del settings["outcomes"]
    (job.use_case / "use_case.yaml").write_text(yaml.safe_dump(settings))
    (job.raw / "calls.csv.gz").rename(job.raw / "outcomes.csv.gz")
    assert job.run(MANIFEST)["status"] == "ok"
    assert "outcomes.csv.gz" in [file["name"] for file in job.read("reports/data_quality.json")["files"]]
