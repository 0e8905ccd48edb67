"""Everything that is odd about a batch and refuses nothing: in the job's log, in its outcome, on the page."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.generate_events import generate
from operations.batch import read_input
from operations.preview import preview
from tenant_experience.data_quality.gates import age_warnings
from tenx.output import console
from tests.support.feature_job import FeatureJob
from tests.support.html_pages import data_quality_page
from tests.support.places import USE_CASE_FOLDER

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
SKIPPED = ("_events.csv", ".hidden", "_old/tickets.csv")
LISTED = ".hidden, _events.csv, _old/tickets.csv"


def put_skipped(folder: Path) -> None:
    for name in SKIPPED:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x\n1\n")


def odd_job(base: Path) -> FeatureJob:
    """Skipped files, an id with two meanings, no portfolio large enough, features 40 days older than the live ones."""
    job = FeatureJob(base)
    generate(job.raw, as_of=AS_OF, tenants=700, seed=3, margin="wide")
    put_skipped(job.raw)
    tickets = job.raw / "tickets.csv"
    lines = tickets.read_text().splitlines()
    place = lines[0].split(",").index("tenant_id")
    cells = lines[1].split(",")
    cells[place] = "T-somebody-else"
    tickets.write_text("\n".join([*lines, ",".join(cells), ""]))
    return job


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> FeatureJob:
    base = tmp_path_factory.mktemp("odd")
    first, odd = FeatureJob(base / "first"), odd_job(base / "odd")
    shutil.copytree(odd.raw, first.raw, dirs_exist_ok=True)
    assert first.run({"as_of": "2026-11-01T00:00:00Z"})["status"] == "ok"
    shutil.copytree(first.output("features"), odd.base / "processing/input/previous")
    assert odd.run({"as_of": "2026-09-22T00:00:00Z", "models": "per_partition"})["status"] == "ok"
    return odd


BEGINNINGS = (
    f"3 files were not read, because their names, or those of their folders, begin with . or _: {LISTED}",
    "1 of ",
    "these features describe 2026-09-22T00:00:00Z, 40 days before those of the live release",
    "a model for each portfolio was asked for (per_partition), but there is one global model",
)


def test_every_warning_is_in_the_report_in_the_outcome_and_on_the_page(job: FeatureJob) -> None:
    warnings = job.read("reports/data_quality.json")["warnings"]
    assert job.read("features/outcome.json")["data_quality"]["warnings"] == warnings
    for beginning, warning in zip(BEGINNINGS, warnings, strict=False):
        assert warning.startswith(beginning)
    text = data_quality_page(job).text
    for warning in warnings:
        assert warning in text


@pytest.mark.parametrize(
    ("as_of", "told"),
    [("2026-11-01T19:00:00Z", "5 hours"), ("2026-10-30T00:00:00Z", "3 days"), ("2026-11-01T23:30:00Z", "0.5 hours")],
)
def test_how_much_older_the_features_are_is_never_told_as_nothing(as_of: str, told: str) -> None:
    [warning] = age_warnings(as_of, "2026-11-02T00:00:00Z")
    assert f"{told} before those of the live release" in warning


def test_what_is_not_read_is_in_the_log_and_on_the_page_by_its_name(job: FeatureJob) -> None:
    assert f"not read, because their names begin with . or _: {LISTED}" in job.log
    assert LISTED.replace(", ", "; ") in data_quality_page(job).text


def test_what_is_not_read_is_listed_when_the_batch_is_refused(tmp_path: Path) -> None:
    job = FeatureJob(tmp_path)
    (job.raw / "e.csv").write_text("event_id,tenant_id,channel,opened_at,first_response_at,resolved_at\n1,T1,fax,,,\n")
    put_skipped(job.raw)
    assert job.run({"source": "events"})["status"] == "refused"
    assert f"not read, because their names begin with . or _: {LISTED}" in job.log
    assert BEGINNINGS[0] in data_quality_page(job).text


def test_a_preview_lists_what_is_not_read_for_people_and_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "event_id,tenant_id,portfolio_id,channel,opened_at,first_response_at,resolved_at\n"
    (tmp_path / "e.csv").write_text(f"{header}E1,T1,Elm Court,ticket,2026-01-01T10:00:00Z,,\n")
    put_skipped(tmp_path)
    shown = preview(read_input(tmp_path, USE_CASE_FOLDER, "events"), USE_CASE_FOLDER, [], 1, console(as_json=False))
    assert shown.quality["skipped"] == LISTED.split(", ")
    assert LISTED in " ".join(capsys.readouterr().out.split())
    assert json.dumps(shown.quality["warnings"]).count(LISTED) == 1
