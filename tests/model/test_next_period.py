"""The published probability comes true in a period that nothing was fitted on.

Of three periods, the first two make the model: the groups of the second, recalibrated on what followed the first. The
third tests what was published at the end of the second. Limits: an expected calibration error of 0.05, and at most 7%
bad among the tenants that were told less than 5%.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.generate_events import generate
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.next_period import NextPeriod, Reliability
from tenant_experience.models.served_model import ServedModel
from tenant_experience.use_case.schema import load_use_case
from tests.support.feature_job import FeatureJob
from tests.support.following_period import (
    END_OF_INCIDENTS,
    INCIDENT_WINDOW,
    INCIDENTS,
    came_true,
    incidents_use_case,
    published_model,
)
from tests.support.generated_tenants import use_case
from tests.support.requirements import needs_shared_data
from tests.support.script_release import make_release
from tests.support.true_tenants import true_tenants

CALIBRATION_ERROR, TOLD_LESS = 0.05, 0.07
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]


def check(found: Reliability) -> None:
    assert found.calibration_error <= CALIBRATION_ERROR
    assert found.told_less.share is None or found.told_less.share <= TOLD_LESS


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("two_lots", [True, False], ids=["two lots", "a continuum"])
def test_in_simulation(two_lots: bool, seed: int, tmp_path: Path) -> None:
    tenants = true_tenants(3_000, seed, two_lots=two_lots)
    first, second, third = (tenants.period(3 * seed + number) for number in range(3))
    with_past = published_model([first, second], use_case(), tmp_path / "backtest")
    alone = published_model([second], use_case(), tmp_path / "alone")
    assert (with_past.next_period.basis, alone.next_period.basis) == ("backtest", "one_snapshot")
    assert alone.grouping
    unshrunk = ServedModel(alone.scorer, alone.grouping.model_copy(update={"priors": {}}))
    for model in (with_past, alone):
        check(came_true(model, second, third))
    before = came_true(unshrunk, second, third)
    assert before.calibration_error > CALIBRATION_ERROR
    assert came_true(alone, second, third).log_loss < before.log_loss
    assert came_true(with_past, second, third).log_loss < came_true(alone, second, third).log_loss


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_document_says_is_what_happens(seed: int, tmp_path: Path) -> None:
    """The backtest's own figures, which approvers read, beside those of a period that it has not seen."""
    tenants = true_tenants(3_000, seed)
    periods = [tenants.period(4 * seed + number) for number in range(4)]
    model = published_model(periods[:3], use_case(), tmp_path)
    backtest = model.next_period.backtest
    assert backtest
    assert backtest.tested_on == "later_pair"
    after = came_true(model, periods[2], periods[3])
    assert after.log_loss == pytest.approx(backtest.published.log_loss, abs=0.04)
    assert after.calibration_error < backtest.published.high + 0.02


class Release:
    """A release as the jobs make it, and a later look at its tenants."""

    def __init__(self, job: FeatureJob, as_of: datetime, manifest: dict[str, str], past: list[int]) -> None:
        outcome = job.run(manifest | {"as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}"})
        assert outcome["status"] == "ok", outcome
        assert outcome["past_periods"] == past
        shutil.copytree(job.output("features"), job.base / "processing/input/features")
        self.release = make_release(job.base)
        [row] = self.release.evaluated["partitions"]
        assert row["status"] == "ready", row
        self.model = ServedModel.load(self.release.models["all"])
        self.features = features_of(job)

    def evaluation(self) -> dict:
        document = json.loads((self.release.output("reports") / "evaluation.json").read_text())
        return document["partitions"][0]


def features_of(job: FeatureJob) -> FeatureTable:
    return read_features(job.output("features") / "features.parquet", load_use_case(job.use_case))


def without_freshness(job: FeatureJob) -> None:
    """The batch holds later events as well, which make it look old."""
    path = job.use_case / "use_case.yaml"
    path.write_text(path.read_text().replace("freshness_days: 45", "freshness_days: null"))


@pytest.mark.slow
def test_of_generated_events_through_the_jobs(tmp_path: Path) -> None:
    earlier, later = FeatureJob(tmp_path / "earlier"), FeatureJob(tmp_path / "later")
    for job in (earlier, later):
        generate(job.raw, as_of=AS_OF, tenants=1_500, days_of_log=3 * 365 + 20, margin="wide")
        without_freshness(job)
    release = Release(earlier, AS_OF - YEAR, {}, [365])
    assert later.run({"as_of": f"{AS_OF:%Y-%m-%dT%H:%M:%SZ}"})["past_periods"] == [365, 730]
    check(came_true(release.model, release.features, features_of(later)))
    written = NextPeriod.read(release.release.models["all"])
    assert written == release.model.next_period
    evaluation = release.evaluation()
    assert evaluation["next_period"]["backtest"] == written.backtest.model_dump(mode="json")
    [gate] = [each for each in evaluation["gates"] if each["name"] == "calibration_error"]
    assert gate["value"] == written.backtest.published.calibration_error
    page = (release.release.output("reports") / "report.html").read_text()
    assert "told less than 5%" in page
    assert "Reliability over the next period:" in page


@needs_shared_data(INCIDENTS.name)
@pytest.mark.slow
def test_of_incidents_through_the_jobs(tmp_path: Path) -> None:
    """Three windows of 30 days in the dense months of UCI's incidents."""
    source = {"source": "uci_incidents"}
    jobs = [FeatureJob(tmp_path / name) for name in ("earlier", "later")]
    for job in jobs:
        incidents_use_case(job.use_case)
        without_freshness(job)
        shutil.copy(INCIDENTS, job.raw)
    release = Release(jobs[0], END_OF_INCIDENTS - INCIDENT_WINDOW, source, [30])
    later = Release(jobs[1], END_OF_INCIDENTS, source, [30, 60])
    check(came_true(release.model, release.features, later.features))
    backtest = later.model.next_period.backtest
    assert backtest
    assert backtest.tested_on == "later_pair"
    check(backtest.published)
    assert backtest.as_redrawn.calibration_error > 2 * CALIBRATION_ERROR
