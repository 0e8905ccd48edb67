"""The figures of a shift: against scipy, against a sum by hand, and what must not move them."""

import math

import numpy as np
import pytest
from scipy.stats import ks_2samp

from tenant_experience.data_quality._shift import (
    Histogram,
    histogram,
    kolmogorov_smirnov,
    population_stability_index,
    shift,
)

NAN = math.nan


def drawn(seed: int, size: int = 5_000, location: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(location, 1, size)


@pytest.mark.parametrize("location", [0.0, 0.1, 2.0])
def test_the_distance_is_that_of_scipy(location):
    then, now = drawn(1), drawn(2, 3_000, location)
    with_gaps = np.concatenate([now, [NAN] * 500])
    assert kolmogorov_smirnov(then, with_gaps) == pytest.approx(ks_2samp(then, now, method="asymp").statistic)


def test_the_distance_is_exact_when_values_are_tied():
    then, now = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])
    assert kolmogorov_smirnov(then, now) == 0.25
    assert kolmogorov_smirnov(then, np.array([NAN])) is None


def test_psi_is_the_sum_over_deciles_and_the_bin_of_nulls():
    then = np.concatenate([np.arange(1, 91), [NAN] * 10])
    now = np.concatenate([np.arange(1, 46), np.arange(1, 46), [NAN] * 10])
    before = (np.array([9] * 10 + [10]) + 0.5) / (100 + 5.5)
    after = (np.array([18] * 5 + [0] * 5 + [10]) + 0.5) / (100 + 5.5)
    assert population_stability_index(then, now) == pytest.approx(((after - before) * np.log(after / before)).sum())


def test_the_same_tenants_in_another_order_have_not_shifted():
    then = np.concatenate([drawn(3), [NAN] * 100])
    assert vars(shift(then, then[::-1])) == pytest.approx(
        {"psi": 0.0, "ks": 0.0, "null_share_then": 100 / 5_100, "null_share_change": 0.0}
    )


def test_another_sample_of_the_same_is_stable_and_one_deviation_is_a_large_shift():
    assert population_stability_index(drawn(4), drawn(5)) < 0.02
    assert population_stability_index(drawn(4), drawn(5, location=1.0)) > 0.5


@pytest.mark.parametrize(
    ("then", "now"),
    [([0.0] * 50, [0.0] * 49 + [7.0]), ([NAN] * 50, [1.0] * 50), ([1.0] * 50, [NAN] * 50), ([5.0], [5.0])],
)
def test_constants_and_empty_columns_give_finite_figures(then, now):
    assert math.isfinite(population_stability_index(np.array(then), np.array(now)))


def test_a_histogram_holds_every_tenant_with_a_value_outliers_too():
    now = np.concatenate([drawn(6) ** 2, [1e9, NAN]])
    bars = histogram(now, drawn(7) ** 2, "log1p")
    assert bars is not None
    assert sum(bars.now) == pytest.approx(1)
    assert sum(bars.then) == pytest.approx(1)
    assert bars.edges == sorted(bars.edges)
    assert histogram(np.array([NAN]), None, "none") is None
    assert histogram(np.array([2.0, 2.0]), None, "none") == Histogram([1.5, 2.5], [1.0], None)
