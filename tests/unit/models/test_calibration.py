"""Probabilities that hold, and never another order."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from tenant_experience.models.calibration import Calibration, fit_calibration, loss


def overconfident(seed: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Margins three times too large, with labels drawn by the true ones."""
    chance = np.random.default_rng(seed)
    true = chance.normal(size=5_000 if classes == 2 else (5_000, classes))
    told = Calibration().probabilities(true)
    if classes == 2:
        return (3 * true - 1).astype(np.float32), (chance.random(5_000) < told).astype(np.float32)
    drawn = (told.cumsum(axis=1) < chance.random((5_000, 1))).sum(axis=1)
    return (3 * true).astype(np.float32), drawn.astype(np.float32)


def test_two_classes_get_the_slope_and_the_intercept_back() -> None:
    fitted = fit_calibration(*overconfident(0))
    assert fitted.slope == pytest.approx(1 / 3, rel=0.1)
    assert fitted.intercept == pytest.approx(1 / 3, abs=0.1)


def test_several_classes_get_the_temperature_back() -> None:
    fitted = fit_calibration(*overconfident(0, classes=4))
    assert (fitted.slope, fitted.intercept) == (pytest.approx(1 / 3, rel=0.1), 0)


@pytest.mark.parametrize("classes", [2, 4])
def test_it_helps_on_rows_it_has_not_seen(classes: int) -> None:
    fitted, (margins, labels) = fit_calibration(*overconfident(0, classes)), overconfident(1, classes)
    before, after = (loss(told.probabilities(margins), labels, classes) for told in (Calibration(), fitted))
    assert after < before - 0.05


def test_margins_that_part_the_classes_entirely_give_no_certainty() -> None:
    fitted = fit_calibration(np.float32([-2, -1, 1, 2]), np.float32([0, 0, 1, 1]))
    assert 0 < fitted.probabilities(np.float32([-2]))[0] < fitted.probabilities(np.float32([2]))[0] < 1


def test_margins_against_the_labels_are_left_as_they_are() -> None:
    margins, labels = overconfident(0)
    assert fit_calibration(-margins, labels) == Calibration(slope=1, intercept=0)


def test_a_higher_margin_is_never_a_lower_probability() -> None:
    with pytest.raises(ValidationError):
        Calibration(slope=-1)
    told = Calibration(slope=0.7, intercept=3).probabilities(np.linspace(-2_000, 2_000, 999, dtype=np.float32))
    assert np.all(np.diff(told) >= 0)
    assert (told[0], told[-1]) == (0, 1)


def test_the_loss_of_numbers_is_the_root_of_the_mean_square() -> None:
    assert loss(np.array([1.0, 2.0]), np.float32([4, 6]), 0) == pytest.approx(np.sqrt(12.5))
