"""What a batch holds: one reader of an input serves the preview, the demo and the upload."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operations.batch import RawBatch, read_input, upload, use_case_folder
from operations.errors import Interrupted, OperationError
from operations.preview import preview
from tenant_experience.errors import UserError
from tenx.output import console
from tests.support.places import ROOT, USE_CASE_FOLDER

HEADER = "event_id,tenant_id,portfolio_id,channel,opened_at,first_response_at,resolved_at\n"


def row(number: int) -> str:
    return f"E{number},T{number},Elm Court,ticket,2026-01-0{number}T10:00:00Z,,\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two halves of a year whose files have the same name, and files that are not read."""
    root = tmp_path / "export"
    for half in (1, 2):
        (root / f"2026-h{half}").mkdir(parents=True)
        (root / f"2026-h{half}" / "tickets.csv").write_text(HEADER + row(half))
    (root / "_notes.csv").write_text("no data")
    (root / ".cache").mkdir()
    (root / ".cache" / "tickets.csv").write_text("no data")
    (root / "manifest.json").write_text('{"source": "events", "as_of": "2026-02-01T00:00:00Z", "tuning": false}')
    return root


def names(batch: RawBatch) -> list[str]:
    return sorted(batch.named_files())


def test_files_keep_their_paths_and_the_folders_manifest_is_the_batchs(folder: Path) -> None:
    batch = read_input(folder, USE_CASE_FOLDER)
    assert names(batch) == ["2026-h1/tickets.csv", "2026-h2/tickets.csv"]
    assert batch.skipped == (".cache/tickets.csv", "_notes.csv")
    assert batch.manifest == {"source": "events", "as_of": "2026-02-01T00:00:00Z", "tuning": False}
    assert batch.use_case == "tenant_experience"


@mock_aws
def test_what_the_preview_reads_is_what_is_uploaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    batch = read_input(folder, USE_CASE_FOLDER)
    shown = preview(batch, USE_CASE_FOLDER, [], 3, console())
    read = [(file["name"], file["rows"]) for file in shown.quality["files"]]
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="data")
    upload(batch, "data")
    prefix = f"raw/tenant_experience/{batch.name}/"
    keys = [each["Key"].removeprefix(prefix) for each in s3.list_objects_v2(Bucket="data")["Contents"]]
    assert read == [("2026-h1/tickets.csv", 1), ("2026-h2/tickets.csv", 1)]
    assert sorted(keys) == ["2026-h1/tickets.csv", "2026-h2/tickets.csv", "manifest.json"]
    for name, path in batch.named_files().items():
        assert s3.get_object(Bucket="data", Key=prefix + name)["Body"].read() == path.read_bytes()
    manifest = json.loads(s3.get_object(Bucket="data", Key=f"{prefix}manifest.json")["Body"].read())
    assert manifest == batch.manifest
    assert shown.quality["as_of"].startswith("2026-02-01")


def test_options_complete_the_manifest_and_may_repeat_but_not_contradict_it(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"models": "global", "as_of": "2026-02-01T01:00:00+01:00"}')
    as_of = datetime(2026, 2, 1, tzinfo=UTC)
    batch = read_input(folder, USE_CASE_FOLDER, "events", as_of)
    assert batch.manifest == {"models": "global", "source": "events", "as_of": "2026-02-01T00:00:00Z"}
    with pytest.raises(OperationError, match=r"--as-of is 2025-01-01.* says 2026-02-01T00:00:00Z: leave the option"):
        read_input(folder, USE_CASE_FOLDER, "events", datetime(2025, 1, 1, tzinfo=UTC))
    (folder / "manifest.json").write_text('{"source": "events"}')
    with pytest.raises(OperationError, match=r"--source is nyc311, but manifest.json in .* says events"):
        read_input(folder, USE_CASE_FOLDER, "nyc311")


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ("[]", "must be a JSON object"),
        ("{", "is not valid JSON"),
        ('{"sauce": "events"}', "unknown key 'sauce'"),
        ('{"source": "nobodys"}', "there is no source 'nobodys'; choose one of events"),
    ],
)
def test_a_wrong_manifest_is_noticed_before_anything_is_uploaded(folder: Path, manifest: str, sentence: str) -> None:
    (folder / "manifest.json").write_text(manifest)
    with pytest.raises(UserError, match=sentence):
        read_input(folder, USE_CASE_FOLDER)


@pytest.mark.parametrize("given", ["{}", '{"train": false}'])
def test_no_training_is_written_into_the_manifest(folder: Path, given: str) -> None:
    (folder / "manifest.json").write_text(given)
    assert read_input(folder, USE_CASE_FOLDER, train=False).manifest == {"train": False}


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ('{"train": true}', '--no-train contradicts "train": true in manifest.json'),
        ('{"tuning": true}', """says "train": false, so key 'tuning' would change nothing"""),
    ],
)
def test_no_training_must_not_contradict_the_manifest(folder: Path, manifest: str, sentence: str) -> None:
    (folder / "manifest.json").write_text(manifest)
    with pytest.raises((OperationError, UserError), match=sentence):
        read_input(folder, USE_CASE_FOLDER, train=False)


def test_a_batch_that_adds_up_has_the_name_of_its_file_so_that_a_corrected_one_takes_its_place(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    week = folder / "2026-W47.csv"
    week.write_text("id\n")
    added = read_input(week, USE_CASE_FOLDER, appends=True)
    assert (added.name, added.manifest) == ("2026-W47", {"mode": "append"})
    assert read_input(week, USE_CASE_FOLDER).name.startswith("2026-W47-")
    (folder / "manifest.json").write_text('{"mode": "append"}')
    assert read_input(folder, USE_CASE_FOLDER).name == folder.name
    (folder / "manifest.json").write_text('{"mode": "replace"}')
    with pytest.raises(OperationError, match='--append contradicts "mode": "replace" in manifest'):
        read_input(folder, USE_CASE_FOLDER, appends=True)


def test_a_manifest_below_the_top_is_refused_because_its_arrival_would_start_a_second_release(folder: Path) -> None:
    (folder / "2026-h1" / "manifest.json").write_text("{}")
    with pytest.raises(OperationError, match=r"2026-h1/manifest.json: a batch has one manifest.json, at its top"):
        read_input(folder, USE_CASE_FOLDER)


def test_a_single_file_is_read_without_its_neighbours(folder: Path) -> None:
    batch = read_input(folder / "2026-h1" / "tickets.csv", USE_CASE_FOLDER, "events")
    assert (names(batch), batch.manifest, batch.skipped) == (["tickets.csv"], {"source": "events"}, ())


@pytest.mark.parametrize("place", [ROOT, ROOT.parent])
def test_the_checkout_is_no_input(place: Path) -> None:
    with pytest.raises(OperationError, match="is the folder of this checkout or contains it"):
        read_input(place, USE_CASE_FOLDER)


@pytest.mark.parametrize(
    ("name", "sentence"), [("_notes.csv", "skipped: _notes.csv"), ("nosuch", "there is no such file or folder")]
)
def test_an_input_without_files_is_refused(folder: Path, name: str, sentence: str) -> None:
    with pytest.raises(OperationError, match=sentence):
        read_input(folder / name, USE_CASE_FOLDER)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("dangling", "is neither a file nor a folder: put a copy of the file there"),
        ("pipe", "is neither a file nor a folder"),
        ("link to a folder", "is a link to a folder, which is not followed: put the folder itself there"),
        ("no Unicode", r"the name of '2026-h1/\\udcff.csv' is not Unicode: rename the file"),
    ],
)
def test_what_could_not_be_read_is_never_passed_over(folder: Path, kind: str, sentence: str) -> None:
    place = folder / "2026-h1" / "more.csv"
    match kind:
        case "dangling":
            place.symlink_to("nowhere.csv")
        case "pipe":
            os.mkfifo(place)
        case "link to a folder":
            place.symlink_to(folder / "2026-h2")
        case _:
            place.with_name("\udcff.csv").write_text(HEADER + row(3))
    with pytest.raises(OperationError, match=sentence):
        read_input(folder, USE_CASE_FOLDER)
    place.unlink(missing_ok=True)
    place.with_name("\udcff.csv").unlink(missing_ok=True)
    (folder / ".cache" / "link").symlink_to("nowhere")
    assert names(read_input(folder, USE_CASE_FOLDER)) == ["2026-h1/tickets.csv", "2026-h2/tickets.csv"]


def test_a_link_to_a_file_is_read(folder: Path) -> None:
    (folder / "linked.csv").symlink_to(folder / "2026-h1" / "tickets.csv")
    assert "linked.csv" in names(read_input(folder, USE_CASE_FOLDER))


def test_an_unknown_source_is_named_before_the_files_are_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no source 'nobodys'"):
        read_input(tmp_path / "nosuch", USE_CASE_FOLDER, "nobodys")


@pytest.mark.parametrize("name", ["nosuch", "", "..", "../demo", "/nosuch", str(USE_CASE_FOLDER)])
def test_an_unknown_use_case_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(
        OperationError,
        match=r"choose one of bank_marketing, credit_risk, .*, tenant_experience",
    ):
        use_case_folder(name)


def test_a_preview_may_be_of_a_use_case_that_is_not_deployed(tmp_path: Path) -> None:
    assert use_case_folder(str(USE_CASE_FOLDER), takes_path=True) == USE_CASE_FOLDER
    with pytest.raises(OperationError, match="choose one of"):
        use_case_folder(str(tmp_path), takes_path=True)


def test_files_side_by_side_with_one_name_are_refused(folder: Path) -> None:
    batch = RawBatch("b", tuple(sorted(folder.glob("2026-*/tickets.csv"))))
    with pytest.raises(OperationError, match=r"would both be uploaded as tickets.csv: rename one"):
        batch.named_files()


def test_an_interrupted_upload_says_that_nothing_starts_before_the_manifest(folder: Path) -> None:
    def interrupt(*_progress: Any) -> None:
        raise KeyboardInterrupt

    batch = read_input(folder, USE_CASE_FOLDER)
    with (
        mock_aws(),
        pytest.raises(Interrupted, match=r"Nothing starts before its manifest.json has arrived: `tenx status`"),
    ):
        upload(batch, "data", interrupt)


def test_a_corrected_batch_is_not_read_together_with_files_of_the_wrong_one(tmp_path: Path) -> None:
    wrong, right = tmp_path / "W47.csv", tmp_path / "W47.parquet"
    for file in (wrong, right):
        file.write_text("id\n")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="data")
        for _ in range(2):  # the same name of a file takes the place of the earlier one
            upload(read_input(wrong, USE_CASE_FOLDER, appends=True), "data")
        upload(read_input(wrong, USE_CASE_FOLDER), "data")
        with pytest.raises(OperationError, match=r"data/raw/tenant_experience/W47/W47.csv is of an earlier upload of"):
            upload(read_input(right, USE_CASE_FOLDER, appends=True), "data")
        keys = [each["Key"] for each in boto3.client("s3").list_objects_v2(Bucket="data")["Contents"]]
        assert not any(key.endswith(right.name) for key in keys)
