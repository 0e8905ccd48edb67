"""The stability of a column: by hand, what must not move it, and how large chance alone makes it."""

import math

import numpy as np
import pytest

from tenant_experience.data_quality._shift import Histogram, histogram
from tenant_experience.data_quality._stability import LARGE_SHIFT, number_stability, stability

NAN = math.nan
YEAR = 365


def drawn(seed: int, size: int = 5_000, location: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(location, 1, size)


def psi(then: np.ndarray, now: np.ndarray) -> float:
    return number_stability(then, now, 1).psi


def test_psi_is_the_sum_over_bins_between_values_and_the_bin_of_nulls():
    then = np.array([0.0] * 60 + [10.0] * 30 + [NAN] * 10)
    now = np.array([0.0] * 60 + [10.0] * 135 + [NAN] * 5)
    before, after = np.array([60, 30, 10]) + 0.5, np.array([60, 135, 5]) + 0.5
    before, after = before / before.sum(), after / after.sum()
    assert psi(then, now) == pytest.approx(((after - before) * np.log(after / before)).sum())
    assert psi(now, then) == pytest.approx(psi(then, now))


def test_the_same_tenants_in_another_order_have_not_shifted():
    then = np.concatenate([drawn(3), [NAN] * 100])
    assert psi(then, then[::-1]) == 0.0


def test_another_sample_of_the_same_is_stable_and_one_deviation_is_a_large_shift():
    assert psi(drawn(4), drawn(5)) < 0.02
    assert psi(drawn(4), drawn(5, location=1.0)) > 0.5


@pytest.mark.parametrize(
    ("then", "now"),
    [([0.0] * 50, [0.0] * 49 + [7.0]), ([NAN] * 50, [1.0] * 50), ([1.0] * 50, [NAN] * 50), ([5.0], [5.0])],
)
def test_constants_and_empty_columns_give_finite_figures(then, now):
    found = number_stability(np.array(then), np.array(now), 1)
    assert math.isfinite(found.psi)
    assert math.isfinite(found.chance)


@pytest.mark.parametrize("then_all", [0.0, 3.0])
def test_a_constant_that_becomes_another_is_an_enormous_shift(then_all: float):
    assert number_stability(np.full(1_000, then_all), np.full(100, 5.0), 10).exceeds(1.0)


@pytest.mark.parametrize("days", [90, 365, 506])
@pytest.mark.parametrize("more", [-1, 1])
@pytest.mark.parametrize("mean", [0.1, 1.0, 4.0, 30.0])
def test_a_calendar_of_a_day_more_or_less_is_no_shift(days: int, more: int, mean: float):
    """Bins that end at annualised counts found a PSI of 1.12 in the real households of 505 days instead of 506."""
    counts = np.random.default_rng(1).poisson(mean, 20_000)
    assert psi(counts * YEAR / days, counts * YEAR / (days + more)) < 0.03


@pytest.mark.parametrize("seed", range(20))
def test_neither_is_it_when_exposures_and_counts_are_of_all_kinds(seed: int):
    random = np.random.default_rng(seed)
    years = np.where(random.random(3_000) < 0.5, 1, random.uniform(0.25, 1, 3_000))
    then = random.negative_binomial(1, random.uniform(0.1, 0.9), 3_000) / years
    assert psi(then, then * random.uniform(0.995, 1.005)) < 0.02
    assert psi(-then, -then * random.uniform(0.995, 1.005)) < 0.02


def test_twice_as_many_of_everything_is_a_large_shift():
    counts = np.random.default_rng(2).poisson(4, 20_000) * YEAR / 506
    assert number_stability(counts, 2 * counts, 10).exceeds(LARGE_SHIFT)


@pytest.mark.parametrize("tenants", [60, 200, 1_000])
def test_chance_is_what_the_psi_of_unchanged_tenants_stays_below(tenants: int):
    random = np.random.default_rng(tenants)
    found = [number_stability(*random.gamma(1, 3, (2, tenants)), 1) for _ in range(400)]
    above = np.mean([each.psi > each.chance for each in found])
    assert 0.005 < above < 0.08  # 5%, and less because values are spread
    counts = [number_stability(*random.poisson(2, (2, tenants)).astype(float), 1) for _ in range(400)]
    assert np.mean([each.psi > each.chance for each in counts]) < 0.08


def test_more_columns_leave_chance_more_room_and_more_tenants_less():
    then = now = np.array([100.0, 100.0])
    assert stability(then, now, 1).chance == pytest.approx(3.841 * (1 / 200 + 1 / 200), rel=1e-3)
    assert stability(then, now, 10).chance > stability(then, now, 1).chance > stability(10 * then, now, 1).chance


def test_a_histogram_holds_every_tenant_with_a_value_outliers_too():
    now = np.concatenate([drawn(6) ** 2, [1e9, NAN]])
    bars = histogram(now, drawn(7) ** 2, "log1p")
    assert bars is not None
    assert sum(bars.now) == pytest.approx(1)
    assert sum(bars.then) == pytest.approx(1)
    assert bars.edges == sorted(bars.edges)
    assert histogram(np.array([NAN]), None, "none") is None
    assert histogram(np.array([2.0, 2.0]), None, "none") == Histogram([1.5, 2.5], [1.0], None)
