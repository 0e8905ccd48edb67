"""What is published where the rule decides, where the classifier does, and where nobody can."""

from __future__ import annotations

import numpy as np
import pytest

from tenant_experience.groups.grouping import FittedMarker, Grouping
from tenant_experience.groups.uncertainty import DRAWS, group_shares
from tenant_experience.models.served_model import ServedModel
from tenant_experience.use_case.features import Noise
from tests.support.small_model import FEATURES, write_model

MARKERS = ("work_order_count", "mean_first_response_hr")
ROWS = 400
LEAST = 0.5 / (DRAWS + 1)


def grouping() -> Grouping:
    """Bad when both markers together are above 6."""
    return Grouping(
        partition="all",
        slug="all",
        version="r1",
        scale="global",
        as_of="2026-11-01T00:00:00Z",
        markers=tuple(
            FittedMarker(
                name=name,
                direction=1,
                transform="none",
                median=3.0,
                mean=3.0,
                deviation=1.0,
                centroids=(-1.0, 1.0),
                probability_worse=0.9,
            )
            for name in MARKERS
        ),
        noise={"work_order_count": Noise(kind="poisson")},
        left_out={},
        checks={},
        fitted_tenants=100,
        fitted_bad=50,
        mean_scores={},
        explained_variance=0.5,
        iterations=3,
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    folder = tmp_path_factory.mktemp("grouped")
    grouping().write(folder)  # first: the model's manifest holds the digest of every file beside it
    return ServedModel.load(write_model(folder))


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    """Counts, hours and a rate; of every fifth row a marker is missing, and of the last one all are."""
    chance = np.random.default_rng(3)
    values = np.column_stack([chance.poisson(3, ROWS), chance.gamma(2, 1.5, ROWS), chance.random(ROWS)]).astype(float)
    values[::5, 1] = np.nan
    values[-1, :2] = np.nan
    return values


def test_the_rule_decides_where_all_markers_are_known_and_the_classifier_elsewhere(
    model: ServedModel, values: np.ndarray
) -> None:
    published, rows = model.publish(values), values.astype(np.float32).astype(np.float64)
    complete = ~np.isnan(values[:, :2]).any(axis=1)
    assert np.array_equal(published.by_rule, complete)
    assert published.label is not None
    assert np.array_equal(published.label[complete], (rows[:, :2].sum(axis=1) > 6)[complete])
    own = model.scorer.outputs(values.astype(np.float32))
    assert np.array_equal(published.label[~complete], (own >= model.scorer.manifest.threshold)[~complete])
    assert np.array_equal(published.own, own)
    drawn = group_shares(grouping(), dict(zip(FEATURES, rows.T, strict=True)), None)[:, 1]
    assert np.array_equal(published.outputs, np.where(complete, drawn, own))
    assert np.array_equal(published.known, np.arange(ROWS) < ROWS - 1)


def test_labels_alone_are_those_that_are_published(model: ServedModel, values: np.ndarray) -> None:
    published = model.publish(values)
    assert published.label is not None
    assert np.array_equal(model.labels(values), published.label)


def test_a_probability_is_never_certain(model: ServedModel) -> None:
    published = model.publish(np.array([[0.0, 0.0, 0.5], [500.0, 500.0, 0.5]]))
    assert published.outputs.tolist() == [LEAST, 1 - LEAST]


def test_what_was_drawn_before_is_taken_only_where_nothing_has_changed(model: ServedModel, values: np.ndarray) -> None:
    days = np.random.default_rng(0).uniform(30, 700, ROWS)
    before = model.publish(values, days)
    changed = values.copy()
    changed[::3, 0] += 2
    changed[::7, 1] = np.nan
    changed[:, 2] = np.nan
    fresh, reused = model.publish(changed, days), model.publish(changed, days, before)
    assert np.array_equal(fresh.outputs, reused.outputs)
    assert not np.array_equal(fresh.outputs, before.outputs)


def test_the_reasons_add_up_to_the_published_label(model: ServedModel, values: np.ndarray) -> None:
    published = model.publish(values)
    reasons = model.reasons(values, published)
    assert published.label is not None
    assert reasons.label is not None
    assert set(reasons.label.tolist()) == {1}
    total = reasons.contributions.sum(axis=1) + reasons.baseline
    # XGBoost's contributions are 32-bit numbers.
    clear = np.abs(total) > 1e-5
    assert np.array_equal((total > 0)[clear], (published.label == 1)[clear])
    assert not reasons.baseline[published.by_rule].any()
    assert not reasons.contributions[published.by_rule][:, 2].any()


def test_an_answer_says_what_decided_it(model: ServedModel, values: np.ndarray) -> None:
    answers = model.answers(values)
    assert answers[-1]["status"] == "no_features"
    assert {value for name, value in answers[-1].items() if name != "status"} == {None}
    assert (answers[0]["label_basis"], answers[1]["label_basis"]) == ("model", "rule")
    assert {answer["probability_basis"] for answer in answers[:-1]} == {"one_snapshot"}
    assert all(answer["closeness"] == answer["model_probability"] for answer in answers)


def test_32_and_64_bit_numbers_are_answered_alike(model: ServedModel, values: np.ndarray) -> None:
    assert model.answers(values) == model.answers(values.astype(np.float32))
