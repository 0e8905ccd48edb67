"""What is gated is what is published: the evaluation's figures, recomputed from the answers of the real container."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from tenant_experience.api.prediction import ModelPrediction, ServedTenant, reasons
from tenant_experience.evaluation._intervals import measured
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.evaluation.missing_features import MISSING_FEATURES, missing_feature_curve
from tenant_experience.evaluation.partition import evaluate_partition
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.uncertainty import group_shares
from tenant_experience.models.scoring import Scorer
from tenant_experience.statistics.splitting import TEST
from tenant_experience.use_case.served import ServedUseCase, parse
from tests.support.engine_use_cases import HOUSEHOLDS
from tests.support.generated_tenants import generated_table, use_case
from tests.support.script_release import Release
from tests.support.serving_process import serving

TENANTS = 2_000
MOST_HIDDEN = 5
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def newcomers() -> FeatureTable:
    """Tenants of whom no model has seen one, seen for a month to two years; a tenth have no answer rate."""
    days = np.random.default_rng(5).uniform(30, 730, TENANTS)
    return replace(generated_table(TENANTS, seed=78), side={"exposure_days": days})


@pytest.fixture(scope="module")
def grouping(release: Release) -> Grouping:
    return Grouping.read(release.models["all"])


@pytest.fixture(scope="module")
def own_groups(grouping: Grouping, newcomers: FeatureTable) -> np.ndarray:
    return grouping.assign(newcomers)


@pytest.fixture(scope="module")
def evaluation(release: Release, newcomers: FeatureTable, own_groups: np.ndarray) -> PartitionEvaluation:
    """The evaluation as a release makes it, with all newcomers in the test part."""
    rows = GroupRows(
        tenant_id=newcomers.tenant_id,
        split=np.full(TENANTS, TEST),
        score=np.zeros(TENANTS),
        label=own_groups,
        classes=("good", "bad"),
    )
    return evaluate_partition(newcomers, rows, release.models["all"], use_case())


@pytest.fixture(scope="module")
def container(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("container"), SAGEMAKER_MULTI_MODEL="true") as (client, _):
        body = {"model_name": "all", "url": str(release.models["all"])}
        assert client.post("/models", json=body).status_code == 200
        yield client


class Asked:
    """The container's answers to the newcomers, whatever is hidden of them."""

    def __init__(self, container: httpx.Client, release: Release, newcomers: FeatureTable, labels: np.ndarray) -> None:
        self._container = container
        self.scorer = Scorer.load(release.models["all"])
        self.matrix = self.scorer.encoding.matrix(newcomers)
        self._newcomers = newcomers
        self.labels = labels

    def answers(self, matrix: np.ndarray, *, explain: bool = False) -> list[dict[str, Any]]:
        names, days = self.scorer.manifest.features, self._newcomers.side["exposure_days"].tolist()
        instances = [
            {
                "tenant_id": tenant,
                "features": {name: None if np.isnan(v) else v for name, v in zip(names, row, strict=True)},
                "exposure_days": seen,
            }
            for tenant, row, seen in zip(self._newcomers.tenant_id.tolist(), matrix.tolist(), days, strict=True)
        ]
        answer = self._container.post("/models/all/invoke", json={"instances": instances, "explain": explain})
        predictions: list[dict[str, Any]] = answer.json()["predictions"]
        return predictions

    def rows(self, matrix: np.ndarray) -> ScoredRows:
        """Nothing but the answers, beside the tenants' own groups; tenants without an answer are left out."""
        found = [
            (label, ModelPrediction.read(row, model_version="r1", scale="global"))
            for label, row in zip(self.labels.tolist(), self.answers(matrix), strict=True)
        ]
        told = [(label, each) for label, each in found if each.status == "scored"]
        return ScoredRows(
            "binary",
            np.array([label for label, _ in told]),
            np.array([each.probability for _, each in told]),
            called=np.array([float(each.experience == "bad") for _, each in told]),
            own=np.array([each.model_probability for _, each in told]),
        )

    def hidden(self, count: int) -> np.ndarray:
        """The matrix with other features hidden of each tenant."""
        ranks = np.random.default_rng(count).random(self.matrix.shape).argsort(axis=1)
        return np.where(ranks < count, np.float32(np.nan), self.matrix)


@pytest.fixture(scope="module")
def asked(container: httpx.Client, release: Release, newcomers: FeatureTable, own_groups: np.ndarray) -> Asked:
    return Asked(container, release, newcomers, own_groups)


def test_the_gated_figures_are_those_of_the_answers(evaluation: PartitionEvaluation, asked: Asked) -> None:
    rows = asked.rows(asked.matrix)
    assert len(rows) == TENANTS
    assert measured(rows, resamples=0).metrics == evaluation.metrics
    right = np.mean(rows.called == rows.labels)
    assert evaluation.metrics["accuracy"] == right
    gates = {gate.name: gate.value for gate in evaluation.gates}
    assert gates["roc_auc"] == evaluation.metrics["roc_auc"]
    assert gates["calibration_error"] == evaluation.metrics["calibration_error"]


def test_the_curve_of_missing_features_is_that_of_the_answers(evaluation: PartitionEvaluation, asked: Asked) -> None:
    curve = missing_feature_curve(asked.scorer.encoding, asked.matrix, asked.rows)
    assert [row.missing for row in curve] == list(range(MOST_HIDDEN + 1))
    assert curve == evaluation.missing_features
    gates = {gate.name: gate.value for gate in evaluation.gates}
    assert gates["missing_accuracy"] == curve[MISSING_FEATURES].metrics["accuracy"]


@pytest.mark.parametrize("count", range(MOST_HIDDEN + 1))
def test_the_published_label_is_never_worse_than_the_classifiers(asked: Asked, grouping: Grouping, count: int) -> None:
    rows = asked.rows(asked.hidden(count))
    published = float(np.mean(rows.called == rows.labels))
    classifier = float(np.mean((rows.own >= asked.scorer.manifest.threshold) == rows.labels))
    # What answers were before: the redraws of the rule, with the median for a missing marker.
    shares = dict(zip(asked.scorer.encoding.columns, asked.hidden(count).T.astype(float), strict=True))
    by_median = group_shares(grouping, shares, None)[:, 1] >= asked.scorer.manifest.threshold
    assert published >= max(classifier, float(np.mean(by_median == asked.labels)))
    assert float(np.mean(rows.called)) == pytest.approx(float(np.mean(rows.labels)), abs=0.05)


def tenant_of(row: dict[str, Any]) -> ServedTenant:
    return ServedTenant(row["tenant_id"], "p", "all", "2026-11-01T00:00:00Z", "r1", "sufficient", {}, {})


@pytest.fixture(scope="module")
def words() -> ServedUseCase:
    return parse((HOUSEHOLDS / "use_case.yaml").read_bytes())


@pytest.mark.parametrize("count", range(MOST_HIDDEN + 1))
def test_no_reason_speaks_for_another_label_than_the_published_one(
    asked: Asked, words: ServedUseCase, count: int
) -> None:
    with_reasons = 0
    for row in asked.answers(asked.hidden(count), explain=True):
        if row["status"] != "scored":
            assert row["contributions"] == {}
            continue
        total = sum(row["contributions"].values()) + row["baseline"]
        # XGBoost's contributions are 32-bit numbers.
        assert (total > 0) == (row["experience"] == "bad") or abs(total) < 1e-5
        assert row["contributions_for"] == "bad"
        prediction = ModelPrediction.read(row, model_version="r1", scale="global")
        supporting, counter = reasons(tenant_of(row), prediction, words)
        assert {reason["towards"] for reason in supporting} <= {row["experience"]}
        assert row["experience"] not in {reason["towards"] for reason in counter}
        if row["label_basis"] == "rule":
            # The parts of a rule add up to the label, so one of them speaks for it.
            assert supporting
            assert row["baseline"] == 0
        with_reasons += bool(supporting)
    assert with_reasons > 0.95 * TENANTS
