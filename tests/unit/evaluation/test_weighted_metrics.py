from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from tenant_experience.evaluation._intervals import measured
from tenant_experience.evaluation._weighted_metrics import weighted_metrics
from tenant_experience.evaluation.scored_rows import ScoredRows, confusion_matrix
from tenant_experience.statistics.intervals import resampled

CHANCE = np.random.default_rng(3)
ROWS = 400
WEIGHTS = next(resampled(ROWS, 3))
LABELS = (CHANCE.random(ROWS) < 0.4).astype(float)
# Rounded, so that there are ties.
BINARY = ScoredRows("binary", LABELS, np.round(np.clip(CHANCE.normal(0.4 + 0.3 * LABELS, 0.2), 0.01, 0.99), 2), 0.45)
CLASSES = CHANCE.integers(0, 3, ROWS).astype(float)
_scores = np.round(CHANCE.random((ROWS, 3)), 2) + 0.05 + np.eye(3)[CLASSES.astype(int)]
SEVERAL = ScoredRows("multiclass", CLASSES, _scores / _scores.sum(axis=1, keepdims=True))
NUMBERS = ScoredRows("regression", CHANCE.normal(1e6, 3, ROWS), CHANCE.normal(1e6, 3, ROWS))


@pytest.mark.parametrize("sample", range(3))
def test_two_classes_agree_with_scikit_learn(sample: int) -> None:
    weight = WEIGHTS[sample]
    found = {name: value[sample] for name, value in weighted_metrics(BINARY, WEIGHTS).items()}
    answers = BINARY.outputs >= 0.45
    given = {"sample_weight": weight}
    assert found == pytest.approx(
        {
            "roc_auc": metrics.roc_auc_score(LABELS, BINARY.outputs, **given),
            "pr_auc": metrics.average_precision_score(LABELS, BINARY.outputs, **given),
            "log_loss": metrics.log_loss(LABELS, BINARY.outputs, **given),
            "brier": metrics.brier_score_loss(LABELS, BINARY.outputs, **given),
            "f1": metrics.f1_score(LABELS, answers, **given),
            "precision": metrics.precision_score(LABELS, answers, **given),
            "recall": metrics.recall_score(LABELS, answers, **given),
            "accuracy": metrics.accuracy_score(LABELS, answers, **given),
        }
    )


@pytest.mark.parametrize("sample", range(3))
def test_several_classes_agree_with_scikit_learn(sample: int) -> None:
    weight = WEIGHTS[sample]
    found = {name: value[sample] for name, value in weighted_metrics(SEVERAL, WEIGHTS).items()}
    given = {"sample_weight": weight}
    answers = SEVERAL.outputs.argmax(axis=1)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(CLASSES, SEVERAL.outputs, **given))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(CLASSES, answers, **given))
    assert found["f1"] == pytest.approx(metrics.f1_score(CLASSES, answers, average="macro", **given))
    one_against_rest = [metrics.roc_auc_score(k == CLASSES, SEVERAL.outputs[:, k], **given) for k in range(3)]
    assert found["roc_auc"] == pytest.approx(np.mean(one_against_rest))


@pytest.mark.parametrize("sample", range(3))
def test_numbers_agree_with_scikit_learn_far_from_zero_too(sample: int) -> None:
    given = {"sample_weight": WEIGHTS[sample]}
    found = {name: value[sample] for name, value in weighted_metrics(NUMBERS, WEIGHTS).items()}
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(NUMBERS.labels, NUMBERS.outputs, **given))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(NUMBERS.labels, NUMBERS.outputs, **given))
    assert found["r2"] == pytest.approx(metrics.r2_score(NUMBERS.labels, NUMBERS.outputs, **given), abs=1e-6)


def test_what_one_class_alone_cannot_tell_is_none() -> None:
    told = measured(BINARY.take(LABELS == 1))
    assert (told.metrics["roc_auc"], told.intervals["roc_auc"]) == (None, None)
    assert told.metrics["recall"] is not None


def test_intervals_hold_the_value_shrink_with_rows_and_are_always_the_same() -> None:
    few, many = measured(BINARY.take(np.arange(100))), measured(BINARY)
    assert many == measured(BINARY)
    for name, value in many.metrics.items():
        low, high = many.intervals[name]
        assert low <= value <= high, name
    widths = [told.intervals["accuracy"][1] - told.intervals["accuracy"][0] for told in (few, many)]
    assert widths[1] < 0.75 * widths[0]


def test_an_interval_of_accuracy_is_about_the_textbooks() -> None:
    told = measured(BINARY)
    share = told.metrics["accuracy"]
    low, high = told.intervals["accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / ROWS), rel=0.15)


def test_many_rows_are_resampled_a_part_at_a_time() -> None:
    parts = list(resampled(600_000, 7))
    assert [part.shape for part in parts] == [(3, 600_000), (3, 600_000), (1, 600_000)]
    assert all((part.sum(axis=1) == 600_000).all() for part in parts)


def test_confusion_of_several_classes_names_them() -> None:
    rows = ScoredRows("multiclass", np.array([0.0, 1, 2, 2]), np.eye(3)[[0, 1, 1, 2]])
    matrix = confusion_matrix(rows, ("a", "b", "c"))
    assert matrix.labels == ["a", "b", "c"]
    assert matrix.matrix == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
