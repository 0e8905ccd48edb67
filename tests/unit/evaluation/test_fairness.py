"""A warning about unlike shares is a test at a stated level, for all comparisons of a model together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from tenant_experience.evaluation._fairness import (
    BandComparison,
    BandShare,
    By,
    compared,
    fairness_warnings,
    fisher_p_value,
)
from tests.support.parameters import mostly_slow
from tests.support.words import TENANT_WORDS

EXPOSURE = (0.08, 0.12, 0.15, 0.15, 0.5)
SIZE = (0.1, 0.2, 0.3, 0.4)


def bands(chance: np.random.Generator, tenants: int, share: float) -> list[BandComparison]:
    """Shares by exposure and by size that depend on nothing."""
    shares: dict[By, tuple[float, ...]] = {"exposure": EXPOSURE, "size": SIZE}
    return compared({by: [band(chance, int(tenants * part), share) for part in parts] for by, parts in shares.items()})


def band(chance: np.random.Generator, tenants: int, share: float) -> BandShare:
    return counted(tenants, int(chance.binomial(tenants, share)))


def counted(tenants: int, bad: int, name: str = "") -> BandShare:
    return BandShare(name or f"{tenants} tenants", tenants, bad, bad / tenants, 0.0, 1.0)


@pytest.mark.parametrize(("tenants", "share"), mostly_slow([(1_500, 0.1), (500, 0.25), (20_000, 0.5)], kept=(0, 1)))
def test_where_nothing_is_unfair_at_most_one_model_in_twenty_is_warned_of(tenants: int, share: float) -> None:
    chance = np.random.default_rng(tenants)
    sure, warned, large = [], [], []
    for _ in range(1_000):
        found = bands(chance, tenants, share)
        sure.append(any(row.is_sure for row in found))
        warned.append(any(row.warned for row in found))
        large.append(any(row.ratio is None or row.ratio > 1.25 for row in found))
    assert np.mean(warned) <= 0.05
    # Two standard errors of the simulation more.
    assert np.mean(sure) <= 0.05 + 2 * (0.05 * 0.95 / 1_000) ** 0.5
    if tenants < 2_000:
        # What the ratio alone would have warned of.
        assert np.mean(large) > 0.8


@pytest.mark.parametrize(("tenants", "share"), [(400, 0.1), (3_000, 0.25), (3_000, 0.5)])
def test_the_difference_that_is_told_is_found_four_times_in_five(tenants: int, share: float) -> None:
    chance = np.random.default_rng(9)
    baseline = counted(tenants, round(tenants * share))
    [told] = compared({"size": [baseline, baseline, baseline]})
    assert told.comparisons == 3
    assert told.detectable is not None
    found = []
    for _ in range(2_000):
        low, high = band(chance, tenants, share), band(chance, tenants, told.detectable)
        found.append(3 * fisher_p_value(low.bad, tenants, high.bad, tenants) < 0.05)
    assert 0.77 <= np.mean(found) <= 0.86


def test_the_p_value_is_that_of_scipy() -> None:
    chance = np.random.default_rng(1)
    for _ in range(100):
        one, other = (int(tenants) for tenants in chance.integers(30, 3_000, 2))
        bad, more = (int(chance.binomial(tenants, chance.random())) for tenants in (one, other))
        expected = fisher_exact([[bad, one - bad], [more, other - more]]).pvalue
        assert fisher_p_value(bad, one, more, other) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_a_sure_difference_that_is_small_is_no_warning() -> None:
    [row] = compared({"size": [counted(50_000, 25_000), counted(50_000, 26_500)]})
    assert row.is_sure
    assert not row.warned
    assert fairness_warnings([row], "bad", TENANT_WORDS) == []


def test_a_large_difference_of_few_tenants_is_no_warning() -> None:
    [row] = compared({"size": [counted(40, 4), counted(60, 10)]})
    assert row.ratio is not None
    assert row.ratio > 1.25
    assert not row.warned
    assert row.comparisons == 1


def test_the_pair_that_gives_the_warning_is_named_though_a_small_band_is_more_extreme() -> None:
    [row] = compared({"size": [counted(30, 6, "few"), counted(5_000, 1_500, "a"), counted(5_000, 2_200, "b")]})
    assert (row.warned, row.lower, row.higher) == (True, "a", "b")


def test_p_values_are_corrected_by_holms_method() -> None:
    groups = [counted(200, 20, "a"), counted(200, 24, "b"), counted(200, 44, "c")]
    [row] = compared({"size": groups})
    assert row.p_value == pytest.approx(3 * fisher_exact([[20, 180], [44, 156]]).pvalue)
    assert (row.lower, row.higher) == ("a", "c")
