"""A release beside the one that is live: the BuildFeatures script with and without its features."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.support.engine_use_cases import HOUSEHOLDS
from tests.support.feature_job import FeatureJob
from tests.support.html_pages import data_quality_page

TENANTS = 600
SOURCE = {"source": "tenant_table"}
RATES = ("answer_rate", "zd_positive_rate", "zd_negative_rate")
COUNTS = (
    *("work_order_count", "escalation_count", "total_maintenance_tickets", "mean_first_response_hr"),
    *("mean_full_resolution_hr", "total_tickets", "outbound_call_count"),
)
Table = dict[str, list]


def households(seed: int, first: int = 0) -> Table:
    random = np.random.default_rng(seed)
    return {
        "household_id": [f"U{first + number}" for number in range(TENANTS)],
        "portfolio": ["North Quay", "Elm Court", "<b>Tower</b>"] * (TENANTS // 3),
        **{name: random.gamma(2, 3, TENANTS).tolist() for name in COUNTS},
        **{name: random.uniform(0, 1, TENANTS).tolist() for name in RATES},
    }


def job_of(folder: Path, table: Table, previous: Path | None = None, **gates: float | None) -> FeatureJob:
    """A job on a table with portfolios."""
    job = FeatureJob(folder, use_case=str(HOUSEHOLDS))
    pq.write_table(pa.table(table), job.raw / "households.parquet")
    settings = job.use_case / "use_case.yaml"
    document = yaml.safe_load(settings.read_text())
    document["gates"] |= gates
    settings.write_text(yaml.safe_dump(document, sort_keys=False))
    if previous:
        shutil.copytree(previous, folder / "processing/input/previous")
    return job


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``features/`` of a release."""
    job = job_of(tmp_path_factory.mktemp("live"), households(1))
    assert job.run(SOURCE)["status"] == "ok"
    comparison = job.read("reports/data_quality.json")["comparison"]
    assert comparison == {"compared": False, "reason": "no release is live yet"}
    return job.output("features")


def test_a_second_release_of_the_same_kind_has_not_shifted(live: Path, tmp_path: Path):
    job = job_of(tmp_path, households(2, first=100), live)
    outcome = job.run(SOURCE)
    assert (outcome["status"], outcome["data_quality"]["warnings"]) == ("ok", [])
    quality = job.read("reports/data_quality.json")
    assert quality["comparison"]["release"] == "r1"
    assert quality["comparison"]["tenants"] == {"then": 600, "now": 600, "new": 100, "gone": 100}
    assert quality["comparison"]["tenants_by_history"] == {"sufficient": 600}
    shifts = {name: feature["shift"] for name, feature in quality["features"].items()}
    assert all(0 <= shift["psi"] < 0.1 for shift in shifts.values())
    assert all(0 < shifts[name]["psi"] < shifts[name]["chance"] < 0.15 for name in (*COUNTS, "answer_rate"))
    assert all(0.8 < shifts[name]["level"]["change"]["size"] < 1.25 for name in COUNTS)
    nothing = {"psi": 0.0, "chance": 0.0, "null_share_then": 1.0, "null_share_change": 0.0, "level": None}
    assert shifts["exposure_days"] == nothing


def test_a_large_shift_is_a_warning_and_an_enormous_one_is_refused(live: Path, tmp_path: Path):
    table = households(3)
    table["total_tickets"] = [1.5 * value for value in table["total_tickets"]]
    outcome = job_of(tmp_path / "warned", table, live).run(SOURCE)
    (warning,) = outcome["data_quality"]["warnings"]
    assert warning.startswith("number of tickets rose to 1.")
    assert (
        " times compared with the live release, in all 3 portfolios with at least 30 tenants: the mean went" in warning
    )
    table["mean_first_response_hr"] = [3600 * value for value in table["mean_first_response_hr"]]
    job = job_of(tmp_path / "refused", table, live)
    outcome = job.run(SOURCE)
    assert (outcome["fault"], outcome["code"]) == ("user", "feature_shift")
    quality = job.read("reports/data_quality.json")
    assert quality["refusal"]["code"] == "feature_shift"
    psi = quality["features"]["mean_first_response_hr"]["shift"]["psi"]
    for words in ("mean_first_response_hr", "release r1", f"PSI {psi:.2f}", "gate feature_shift allows 1.00"):
        assert words in outcome["message"]
    assert sorted(path.name for path in job.output("features").iterdir()) == ["outcome.json"]


def annualised(days: int) -> Table:
    """The same households, with counts over so many days."""
    random = np.random.default_rng(11)
    counts = {name: (random.poisson(4, TENANTS) * 365 / days).tolist() for name in COUNTS if not name.endswith("_hr")}
    return households(1) | counts


def test_the_same_tenants_over_a_day_less_have_not_shifted(tmp_path: Path):
    first = job_of(tmp_path / "first", annualised(506))
    assert first.run(SOURCE)["status"] == "ok"
    outcome = job_of(tmp_path / "second", annualised(505), first.output("features")).run(SOURCE)
    assert (outcome["status"], outcome["data_quality"]["warnings"]) == ("ok", [])


def test_hours_that_are_longer_in_one_portfolio_are_told_on_the_page_and_to_the_approver(live: Path, tmp_path: Path):
    table = households(1)
    slow = [3 * hours for hours in table["mean_first_response_hr"][::3]]
    table["mean_first_response_hr"][::3] = slow
    job = job_of(tmp_path, table, live)
    (warning,) = job.run(SOURCE)["data_quality"]["warnings"]
    assert warning.startswith("hours until the first response rose to 2.")
    assert "times in 'North Quay' (" in warning
    assert job.read("reports/data_quality.json")["warnings"] == [warning]
    assert warning in data_quality_page(job).text
    level = job.read("reports/data_quality.json")["features"]["mean_first_response_hr"]["shift"]["level"]
    assert (level["portfolios"], level["moved"], level["farthest"][0]["name"]) == (3, 1, "North Quay")


def losing_answers(table: Table) -> None:
    table["answer_rate"] = [None] * 300 + table["answer_rate"][300:]


def losing_portfolios(table: Table) -> None:
    table["portfolio"] = ["North Quay"] * TENANTS


@pytest.mark.parametrize(
    ("change", "gate", "words"),
    [
        (losing_answers, "null_share", ["answer_rate", "from 0.0% in release r1 to 50.0%", "allows 25.0% more"]),
        (losing_portfolios, "vanished_portfolios", ["2 of the 3 portfolios", "66.7%", "'<b>Tower</b>'", "50.0%"]),
    ],
)
def test_what_is_gone_is_refused_by_its_gate_unless_that_is_off(
    live: Path, tmp_path: Path, change: Callable[[Table], None], gate: str, words: list[str]
):
    table = households(4)
    change(table)
    outcome = job_of(tmp_path / "on", table, live).run(SOURCE)
    assert outcome["code"] == gate
    for word in words:
        assert word in outcome["message"]
    job = job_of(tmp_path / "off", table, live, **{gate: None, "feature_shift": None})
    assert job.run(SOURCE)["status"] == "ok"


def test_features_nobody_differs_in_are_said_to_be_left_out(tmp_path: Path):
    job = job_of(
        tmp_path, households(5) | {"total_tickets": [2.5] * TENANTS, "answer_rate": pa.nulls(TENANTS, pa.float64())}
    )
    assert job.run(SOURCE)["status"] == "ok"
    assert job.read("reports/data_quality.json")["left_out"] == {
        "total_tickets": "2.5 for every tenant that may train",
        "answer_rate": "null for every tenant that may train",
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"source": "events"}, "came from the source events, this one from tenant_table"),
        ({"as_of": "2026-11-21T00:00:00Z"}, "describes a later moment, 2026-11-21T00:00:00Z"),
    ],
)
def test_what_cannot_be_compared_says_why(live: Path, tmp_path: Path, change: dict, reason: str):
    job = job_of(tmp_path, households(6), live)
    path = tmp_path / "processing/input/previous/outcome.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert job.run(SOURCE)["status"] == "ok"
    comparison = job.read("reports/data_quality.json")["comparison"]
    assert not comparison["compared"]
    assert reason in comparison["reason"]


def test_a_feature_the_live_release_did_not_have_is_described_alone(live: Path, tmp_path: Path):
    job = job_of(tmp_path, households(7), live)
    path = tmp_path / "processing/input/previous/features.parquet"
    pq.write_table(pq.read_table(path).drop(["answer_rate"]), path)
    assert job.run(SOURCE)["status"] == "ok"
    features = job.read("reports/data_quality.json")["features"]
    assert features["answer_rate"]["shift"] is None
    assert features["total_tickets"]["shift"]["psi"] < 0.1
