"""A model that the test part does not show to be better than chance is told as such, whatever its task."""

from __future__ import annotations

import numpy as np
import pytest

from tenant_experience.evaluation._chance import chance_warnings
from tenant_experience.evaluation._intervals import measured
from tenant_experience.evaluation.scored_rows import ScoredRows

CHANCE = np.random.default_rng(3)
LABELS = ["a", "b", "c"]


def numbers(rows: int, noise: float) -> ScoredRows:
    truth = CHANCE.normal(size=rows)
    return ScoredRows("regression", truth, truth + noise * CHANCE.normal(size=rows) if noise < 9 else truth[::-1] * 0)


def binary(rows: int, signal: float) -> ScoredRows:
    truth = np.arange(rows) % 2.0
    return ScoredRows("binary", truth, 1 / (1 + np.exp(-signal * (truth - 0.5) + CHANCE.normal(size=rows))))


def classes(rows: int, signal: float) -> ScoredRows:
    truth = (np.arange(rows) % 10 > 6) + (np.arange(rows) % 10 > 8.0)
    logits = signal * np.eye(3)[truth.astype(int)] + np.log([0.7, 0.2, 0.1]) + 0.01 * CHANCE.normal(size=(rows, 3))
    outputs = np.exp(logits)
    return ScoredRows("multiclass", truth.astype(float), outputs / outputs.sum(axis=1, keepdims=True))


def warned(rows: ScoredRows) -> list[str]:
    return chance_warnings(rows, measured(rows), [] if rows.task == "regression" else LABELS)


@pytest.mark.parametrize("rows", [numbers(200, 9), binary(60, 0.0), classes(100, 0.0)])
def test_a_worthless_model_is_told_as_such(rows: ScoredRows):
    found = warned(rows)
    assert found
    assert all(f"of {len(rows)}" in each or f"all {len(rows)} values" in each for each in found)
    assert all("Look for better features or more data before you approve it." in each for each in found)


@pytest.mark.parametrize("rows", [numbers(200, 0.5), binary(200, 3.0), classes(200, 8.0)])
def test_a_model_that_knows_something_is_not(rows: ScoredRows):
    assert warned(rows) == []


def test_the_sentence_has_the_figure_its_interval_and_what_a_worthless_model_reaches():
    (r2,) = warned(numbers(200, 9))
    assert r2.startswith("R² is -0.0")
    assert "(95% " in r2
    (auc,) = warned(binary(60, 0.0))
    assert "chance gives 0.5" in auc
    *_, labels = warned(classes(100, 0.0))
    assert "always 'a', which is right for 0.700" in labels


def test_few_rows_that_are_all_right_are_no_certainty():
    """8 of 8: the interval of every share reaches far below 1."""
    rows = ScoredRows("binary", np.array([0.0, 1.0] * 8), np.array([0.1, 0.9] * 8))
    found = measured(rows)
    for name in ("precision", "recall", "accuracy", "f1", "roc_auc", "pr_auc"):
        low, high = found.intervals[name] or (1.0, 1.0)
        assert (found.metrics[name], high) == (1.0, 1.0)
        assert low < 0.85, name
    assert (found.intervals["precision"] or [0])[0] == pytest.approx(8 / (8 + 1.959964**2))
