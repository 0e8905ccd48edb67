"""No interval is empty where few rows agree, and none leaves what is possible."""

from __future__ import annotations

import numpy as np
import pytest

from tenant_experience.evaluation._intervals import measured
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.statistics.intervals import (
    auc_interval,
    difference_interval,
    mean_interval,
    t_interval,
    wilson_interval,
)


def test_eight_of_eight_is_not_certainty() -> None:
    labels = np.repeat([1.0, 0.0], [8, 22])
    told = measured(ScoredRows("binary", labels, np.where(labels == 1, 0.9, 0.1)))
    for name in ("precision", "recall", "f1"):
        low, high = told.intervals[name] or (1.0, 1.0)
        assert (told.metrics[name], high) == (1.0, 1.0)
        assert low < 0.81, name
    assert (told.intervals["precision"] or [1.0])[0] == pytest.approx(8 / (8 + 1.96**2), abs=1e-3)
    for name in ("roc_auc", "pr_auc", "accuracy"):
        assert told.metrics[name] == 1.0
        assert (told.intervals[name] or [1.0])[0] < 0.95, name


def test_of_no_rows_nothing_is_known() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    told = measured(ScoredRows("binary", np.array([1.0, 0.0, 0.0]), np.full(3, 0.1)))
    assert (told.metrics["precision"], told.intervals["precision"]) == (0.0, [0.0, 1.0])


@pytest.mark.parametrize("variance", [None, 0.0, 1e-6, 0.3])
@pytest.mark.parametrize("area", [0.0, 0.3, 0.5, 0.97, 1.0])
def test_an_area_lies_within_its_interval_and_the_interval_within_0_and_1(area: float, variance: float | None) -> None:
    for positives, negatives in ((1, 1), (1, 50), (6, 54), (300, 700)):
        low, high = auc_interval(area, positives, negatives, variance)
        assert 0 <= low <= area <= high <= 1
        assert high - low > 0.002


def test_a_long_tail_makes_the_interval_longer_on_its_side() -> None:
    losses = np.random.default_rng(0).exponential(1, 60)
    low, high = mean_interval(losses)
    assert high - losses.mean() > 1.2 * (losses.mean() - low)
    mirrored = mean_interval(-losses)
    assert mirrored == (pytest.approx(-high), pytest.approx(-low))
    assert mean_interval(np.full(5, 2.0)) == (2.0, 2.0)


def test_values_alike_on_both_sides_have_the_textbooks_interval() -> None:
    for interval in (t_interval, mean_interval):
        low, high = interval(np.array([-1.0, 0.0, 1.0]))
        assert (low, high) == (pytest.approx(-2.4841, abs=1e-4), pytest.approx(2.4841, abs=1e-4))


def test_a_difference_of_figures_that_move_together_is_known_better() -> None:
    apart = difference_interval(0.8, (0.7, 0.9), 0.85, (0.75, 0.95), 0.0)
    together = difference_interval(0.8, (0.7, 0.9), 0.85, (0.75, 0.95), 0.9)
    assert apart == (pytest.approx(0.05 - 0.02**0.5), pytest.approx(0.05 + 0.02**0.5))
    assert together[1] - together[0] < 0.35 * (apart[1] - apart[0])
