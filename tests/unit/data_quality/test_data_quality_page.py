"""The page about a release's data: hostile names, early refusals, and the whole of a compared release."""

import base64
import csv
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.generate_events import generate
from tenant_experience.data_quality.page import render_data_quality
from tests.support.feature_job import FeatureJob
from tests.support.html_pages import POLICY, data_quality_page

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
MANIFEST = {"as_of": "2026-11-01T00:00:00Z"}
HOSTILE = "<script>alert(1)</script>'\"&"


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> FeatureJob:
    """The second release of a source; a portfolio and a file have hostile names."""
    base = tmp_path_factory.mktemp("compared")
    first, second = FeatureJob(base / "first"), FeatureJob(base / "second")
    for seed, job in enumerate((first, second)):
        generate(job.raw, as_of=AS_OF, tenants=700, seed=seed, margin="wide")
    tickets = second.raw / "tickets.csv"
    rows = list(csv.reader(tickets.read_text().splitlines()))
    rows = [[HOSTILE if cell == "Elm Court" else cell for cell in row] for row in rows]
    tickets.unlink()
    with (second.raw / f"tickets {HOSTILE.replace('/', '')}.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert first.run(MANIFEST)["status"] == "ok"
    shutil.copytree(first.output("features"), second.base / "processing/input/previous")
    assert second.run(MANIFEST)["status"] == "ok"
    return second


def test_the_page_fetches_nothing_and_every_picture_is_described(compared: FeatureJob):
    tags = data_quality_page(compared)
    pictures = [attributes for tag, attributes in tags.tags if tag == "img"]
    columns = compared.read("reports/data_quality.json")["features"]
    assert len(pictures) == 1 + len(columns)  # the shift, and a distribution for each column
    for picture in pictures:
        kind, _, content = (picture["src"] or "").partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert b"<svg" in base64.b64decode(content)
        assert len(picture["alt"] or "") > 40
    assert not {"link", "script", "iframe", "a"} & {tag for tag, _ in tags.tags}


def test_names_from_the_data_are_text(compared: FeatureJob):
    text = data_quality_page(compared).text
    assert f"New portfolios: {HOSTILE}." in text
    assert f"tickets {HOSTILE.replace('/', '')}.csv" in text


def test_the_figures_of_the_json_are_on_the_page(compared: FeatureJob):
    quality, text = compared.read("reports/data_quality.json"), data_quality_page(compared).text
    for number in (quality["rows"], quality["events"], quality["duplicates_dropped"], quality["may_train"]):
        assert f"{number:,}" in text
    for row in quality["quarantined_by_reason"]:
        assert f"{row['first_file']}, line {row['first_line']}" in text
    assert "This release is compared with release r1" in text
    for feature in quality["features"].values():
        assert f"{feature['shift']['psi']:.2f}" in text


def test_a_batch_refused_at_once_has_a_page_that_says_why(tmp_path: Path):
    job = FeatureJob(tmp_path)
    (job.raw / f"{HOSTILE.replace('/', '')}.csv").write_text("a,b\n1,2\n")
    outcome = job.run(MANIFEST)
    assert outcome["status"] == "refused"
    text = data_quality_page(job).text
    assert f"This batch was refused ({outcome['code']})" in text
    assert outcome["message"] in text


def test_a_batch_refused_by_its_rows_shows_them(tmp_path: Path):
    job = FeatureJob(tmp_path)
    rows = [f"B{i},T{i},p,fax,,2026-10-01,,,,," for i in range(10)]
    header = (
        "event_id,tenant_id,portfolio_id,channel,direction,opened_at,first_response_at,resolved_at,"
        "answered,escalated,sentiment"
    )
    (job.raw / "events.csv").write_text("\n".join([header, *rows]))
    assert job.run(MANIFEST)["code"] == "too_many_bad_rows"
    text = data_quality_page(job).text
    assert "unknown channel" in text
    assert "events.csv, line 2" in text


def test_the_same_figures_give_the_same_page(compared: FeatureJob):
    written = (compared.output("reports") / "data_quality.html").read_text()
    assert render_data_quality(compared.read("reports/data_quality.json")) == written


def test_the_page_itself_forbids_what_no_header_of_s3_can(compared: FeatureJob):
    assert POLICY in [attributes for tag, attributes in data_quality_page(compared).tags if tag == "meta"]
