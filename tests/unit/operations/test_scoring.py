"""What ``tenx score`` uploads: files, and a manifest that agrees with the command line."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from operations import scoring
from operations.errors import OperationError
from operations.laptop import Laptop
from operations.scoring import FinishedRun, first_answers, read_score_input
from operations.stack import Stack
from tenant_experience.api.kept_answer import Row
from tenant_experience.data_layout import MANIFEST, score_batch
from tenant_experience.errors import UserError
from tenant_experience.release.scoring_run import ScoringRun
from tenant_experience.scoring.answers import SCHEMA
from tenant_experience.scoring.publish import write_files
from tenx.scoring_commands import show
from tests.support.places import USE_CASE_FOLDER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "export"
    (made / "2026").mkdir(parents=True)
    (made / "2026/ids.csv").write_text("tenant_id\nT1\n")
    return made


def stack(**outputs: str) -> Stack:
    return Stack("s", {"DataBucket": "data", **outputs}, (), Laptop(Path("x"), "http://x", "http://x/mail"))


def test_options_complete_the_manifest_of_a_score_batch(folder: Path) -> None:
    moment = datetime(2026, 2, 1, tzinfo=UTC)
    (folder / "manifest.json").write_text('{"source": "events"}')
    batch = read_score_input(folder, USE_CASE_FOLDER, "events", moment, csv=True)
    assert batch.manifest == {"source": "events", "as_of": "2026-02-01T00:00:00Z", "format": "csv"}
    assert list(batch.named_files()) == ["2026/ids.csv"]
    with pytest.raises(OperationError, match=r"--source is ids, but manifest.json in .* says events"):
        read_score_input(folder, USE_CASE_FOLDER, "ids")


def test_ids_need_no_source_of_the_use_case(folder: Path) -> None:
    assert read_score_input(folder / "2026/ids.csv", USE_CASE_FOLDER, "ids").manifest == {"source": "ids"}


def test_whatever_a_file_is_called_its_batch_has_a_name_that_starts_a_run(tmp_path: Path) -> None:
    file = tmp_path / "(2) Mieter für Oktober.csv"
    file.write_text("tenant_id\nT1\n")
    batch = read_score_input(file, USE_CASE_FOLDER, "ids")
    assert batch.name.startswith("2-Mieter-f-r-Oktober-")
    assert list(batch.named_files()) == [file.name]
    key = score_batch(batch.use_case, batch.name) + MANIFEST
    arrived = {"time": "2026-11-29T10:00:00Z", "detail": {"object": {"key": key}}}
    assert ScoringRun.of_manifest(arrived).batch == batch.name


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ('{"train": false}', "unknown key 'train'"),
        ('{"format": "xlsx"}', "key 'format' must be one of parquet, csv"),
        ('{"source": "nobodys"}', "there is no source 'nobodys'"),
        ('{"source": "ids", "as_of": "2026-02-01T00:00:00Z"}', "would change nothing for ids"),
    ],
)
def test_a_wrong_manifest_of_a_score_batch_is_noticed_before_anything_is_uploaded(
    folder: Path, manifest: str, sentence: str
) -> None:
    (folder / "manifest.json").write_text(manifest)
    with pytest.raises(UserError, match=sentence):
        read_score_input(folder, USE_CASE_FOLDER)


def test_ids_with_a_moment_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="would change nothing for ids"):
        read_score_input(folder, USE_CASE_FOLDER, "ids", datetime(2026, 2, 1, tzinfo=UTC))


def test_the_files_lie_below_score_and_the_manifest_comes_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploaded: list[str] = []
    monkeypatch.setattr(scoring, "listed_executions", lambda _machine: {"old"})

    def started(machine: str, before: set[str], is_wanted: Any, _seconds: float) -> str:
        objects = boto3.client("s3").list_objects_v2(Bucket="data")["Contents"]
        uploaded.extend(found["Key"] for found in sorted(objects, key=lambda found: found["LastModified"]))
        assert (machine, before) == ("arn:scoring", {"old"})
        assert is_wanted({"use_case": "tenant_experience", "batch": batch.name})
        assert not is_wanted({"use_case": "tenant_experience", "batch": "another"})
        return "new"

    monkeypatch.setattr(scoring, "new_execution", started)
    batch = read_score_input(folder, USE_CASE_FOLDER, "ids")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="data")
        assert scoring.start(stack(ScoringStateMachineArn="arn:scoring"), batch) == "new"
        body = boto3.client("s3").get_object(Bucket="data", Key=uploaded[-1])["Body"].read()
    prefix = f"score/tenant_experience/{batch.name}"
    assert sorted(uploaded) == [f"{prefix}/2026/ids.csv", f"{prefix}/manifest.json"]
    assert json.loads(body) in ({"source": "ids"},)


def test_a_stack_of_an_earlier_version_says_so(folder: Path) -> None:
    with pytest.raises(OperationError, match="has no state machine that scores batches: deploy this template first"):
        scoring.start(stack(), read_score_input(folder, USE_CASE_FOLDER, "ids"))


def test_the_first_answers_are_read_from_the_first_file(tmp_path: Path) -> None:
    rows: list[Row] = [dict.fromkeys(SCHEMA.names) | {"record_id": f"T{number}"} for number in range(7)]
    write_files(rows, tmp_path, csv=False, per_file=6)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="data")
        for path in tmp_path.glob("*.parquet"):
            boto3.client("s3").upload_file(str(path), "data", f"predictions/x/{path.name}")
        found = first_answers(stack(), "predictions/x/")
    assert [row["record_id"] for row in found] == ["T0", "T1", "T2", "T3", "T4"]


def test_rows_that_were_refused_are_told_with_the_file_of_their_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "first_answers", lambda _stack, _folder: [])
    output = {"answers": 1_200, "unanswered": 0, "refused": 3, "release": "r1", "predictions": "p/", "errors": "e/"}
    text = io.StringIO()
    for refused in (3, 0):
        execution = {"status": "SUCCEEDED", "output": json.dumps(output | {"refused": refused})}
        show(stack(), FinishedRun("run", execution, 2.0), Console(file=text, width=200))
    first, second = text.getvalue().strip().split("SUCCEEDED")[1:]
    assert "1,200 records answered by release r1, 0 not answered, 3 rows refused" in first
    assert "s3://data/e/errors.parquet has the reasons" in first
    assert "errors.parquet" not in second
