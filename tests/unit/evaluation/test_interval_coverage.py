"""Intervals of 95% hold the truth about 95 times in 100: for few rows, near 0 and 1, with wrong probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from bench.coverage import SIZES, TwoClasses, coverage, metric_coverage, true_metrics

# The error of the simulation itself: one and a half standard errors of a share of 95%.
REPEATS = 400
MARGIN = 1.5 * (0.95 * 0.05 / REPEATS) ** 0.5


@pytest.mark.slow
def test_every_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rows = list(coverage(REPEATS))
    assert {name for _, name, _ in rows} >= {"roc_auc", "pr_auc", "calibration_error", "log_loss", "f1", "r2", "share"}
    missed = [
        (of, name, size, share)
        for of, name, shares in rows
        for size, share in shares.items()
        if not 0.90 - MARGIN <= share <= 0.98 + MARGIN
    ]
    assert missed == []
    assert all(set(shares) == set(SIZES) for _, _, shares in rows)


def test_of_sixty_tenants_and_an_area_of_0_99_intervals_hold_the_truth() -> None:
    """Percentiles of resamples held the AUC in 40% of cases, and the calibration error hardly ever."""
    scenario = TwoClasses(0.99, 0.3)
    found = metric_coverage(scenario.draw, 60, 200, true_metrics(scenario, rows=100_000))
    assert {name: share for name, share in found.items() if not 0.90 <= share <= 0.995} == {}


def test_the_calibration_error_of_a_right_model_is_not_made_of_chance() -> None:
    from tenant_experience.statistics.reliability import calibration_error

    chance, values, plain = np.random.default_rng(6), [], []
    for _ in range(200):
        rows = TwoClasses(0.75, 0.4).draw(chance, 100)
        values.append(calibration_error(rows.confirmed, rows.confidence)[0])
        plain.append(_distance(rows.confirmed, rows.confidence))
    assert np.mean(plain) > 0.08
    assert np.mean(values) < 0.04
    assert np.median(values) < 0.04


def _distance(confirmed: np.ndarray, probabilities: np.ndarray) -> float:
    tenth = np.minimum((probabilities * 10).astype(int), 9)
    return float(np.abs(np.bincount(tenth, confirmed - probabilities, minlength=10)).sum() / len(tenth))
