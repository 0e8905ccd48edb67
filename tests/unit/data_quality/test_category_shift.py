"""Categories in the data-quality report: the figures by hand, and a whole release beside the one before it."""

import json
import math
import shutil
from pathlib import Path

import pytest

from tenant_experience.data_quality._category_shift import (
    CommonValue,
    ValueTurnover,
    category_shift,
    category_stability,
    describe_category,
)
from tests.support.churn_export import STATES, write_churn
from tests.support.feature_job import FeatureJob
from tests.support.html_pages import data_quality_page

HOSTILE = "<script>alert(1)</script>$\\frac_"


def test_psi_is_the_sum_over_values_the_rare_ones_pooled_and_the_bin_of_nulls():
    then = {"a": 60, "b": 30, "x": 1, None: 9}
    now = {"a": 30, "b": 50, "y": 10, None: 10}
    before = [(n + 0.5) / 102 for n in (60, 30, 1, 9)]
    after = [(n + 0.5) / 102 for n in (30, 50, 10, 10)]
    by_hand = sum((q - p) * math.log(q / p) for p, q in zip(before, after, strict=True))
    found = category_stability(then, now, 1)
    assert found.psi == pytest.approx(by_hand)
    assert found.chance == pytest.approx(7.815 * (1 / 100 + 1 / 100), rel=1e-3)  # chi-squared, 3 degrees, 95%


def test_the_order_of_values_does_not_matter_and_the_same_counts_have_not_shifted():
    then = {"a": 60, "b": 30, None: 9}
    assert category_stability(then, dict(reversed(then.items())), 1).psi == 0.0


def test_new_and_vanished_values_are_named_the_most_common_first():
    shift = category_shift({"a": 50, "gone": 50}, {"a": 50, "rare": 20, "new": 29, None: 1}, 1)
    assert shift.new == ValueTurnover(2, ["new", "rare"])
    assert shift.gone == ValueTurnover(1, ["gone"])
    assert shift.null_share_change == pytest.approx(0.01)
    assert shift.psi > 1


def test_of_many_values_the_common_ones_are_told_and_the_rest_together():
    now = {f"v{number:03d}": number + 1 for number in range(100)}
    described = describe_category(now, None)
    assert described.values == 100
    assert described.common[0] == CommonValue("v099", 100 / 5_050, None)
    assert described.others is not None
    assert described.others.values == 80
    assert sum(row.now for row in described.common) + described.others.now == pytest.approx(1)
    assert describe_category({None: 3}, None).common == []
    assert describe_category({}, None).null_share is None


def churn_job(base: Path, live: Path | None = None, **gates: object) -> FeatureJob:
    job = FeatureJob(base, use_case="telecom_churn")
    settings = job.use_case / "use_case.yaml"
    text = settings.read_text().replace("minimum_tenants: 1000", "minimum_tenants: 500")
    settings.write_text(text + "".join(f"  {name}: {json.dumps(value)}\n" for name, value in gates.items()))
    if live is not None:
        shutil.copytree(live, job.base / "processing/input/previous")
    return job


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The features of a release; the states of the first file are five."""
    job = churn_job(tmp_path_factory.mktemp("live"))
    write_churn(job.raw, "North", 700)
    assert job.run({})["status"] == "ok"
    quality = job.read("reports/data_quality.json")
    assert quality["features"]["state"]["values"] == len(STATES)
    assert quality["features"]["state"]["shift"] is None
    assert quality["labels"]["column"] == "churn"
    assert {row["value"] for row in quality["labels"]["common"]} == {"stays", "leaves"}
    return job.output("features")


def test_another_draw_has_not_shifted(live: Path, tmp_path: Path):
    job = churn_job(tmp_path, live)
    write_churn(job.raw, "North", 700, seed=1)
    assert job.run({})["status"] == "ok"
    quality = job.read("reports/data_quality.json")
    described = [quality["features"][name] for name in ("state", "area_code", "voice_mail_plan")] + [quality["labels"]]
    assert all(0 < entry["shift"]["psi"] < 0.1 for entry in described)
    assert quality["warnings"] == []


def test_a_state_that_vanished_and_a_new_plan_of_a_hostile_name_are_told(live: Path, tmp_path: Path):
    job = churn_job(tmp_path, live, feature_shift=None)
    write_churn(job.raw, "North", 700, seed=1, states=("ZZ", *STATES[1:]), international=HOSTILE)
    assert job.run({})["status"] == "ok"
    quality = job.read("reports/data_quality.json")
    assert sorted(warning.partition(":")[0] for warning in quality["warnings"]) == [
        "international plan has shifted",
        "state has shifted",
    ]
    assert any(warning.endswith("(new 'ZZ', gone 'OH')") for warning in quality["warnings"])
    text = data_quality_page(job).text
    assert HOSTILE in text
    assert "What the model predicts: churn" in text

    refused = churn_job(tmp_path / "refused", live)
    shutil.copytree(job.raw, refused.raw, dirs_exist_ok=True)
    outcome = refused.run({})
    assert (outcome["fault"], outcome["code"]) == ("user", "feature_shift")
    assert "has shifted since release r1: PSI " in outcome["message"]


def test_a_class_that_nobody_has_is_refused_by_name(tmp_path: Path):
    job = churn_job(tmp_path)
    write_churn(job.raw, "North", 700)
    path = job.raw / "North.csv"
    path.write_text(path.read_text().replace("True.", "False."))
    outcome = job.run({})
    assert (outcome["fault"], outcome["code"]) == ("user", "missing_class")
    assert "'leaves' in column 'churn'" in outcome["message"]
    assert "missing_class" in data_quality_page(job).text
