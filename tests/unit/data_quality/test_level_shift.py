"""Whether a level has moved: the size and its interval, what is not named, and the sentence that is told."""

from typing import Any

import numpy as np
import pytest

from tenant_experience.data_quality._level import Column, LevelShift, level_shift
from tenant_experience.data_quality.shift_warnings import level_sentence
from tests.support.words import TENANT_WORDS

NAMES = ["Elm Court", "Mill Lofts", "North Quay", "Tower 7"]
HOURS = "hours until the first response"


def tenants(seed: int, number: int = 4_000) -> Column:
    """Mean hours of tenants in four portfolios; one in ten has none."""
    random = np.random.default_rng(seed)
    hours = random.lognormal(3, 0.8, number)
    hours[random.random(number) < 0.1] = np.nan
    return Column(hours, random.integers(0, 4, number))


def moved(then: Column, now: Any, transform: Any = "log1p", comparisons: int = 10) -> LevelShift:
    values = now if isinstance(now, Column) else Column(np.asarray(now), then.portfolios)
    found = level_shift(then, values, NAMES, transform, comparisons)
    assert found is not None
    return found


@pytest.mark.parametrize("factor", [1.5, 2.0, 4.0, 1 / 1.5])
def test_all_hours_times_a_factor_have_that_size(factor: float):
    then = tenants(1)
    found = moved(then, factor * then.values)
    assert found.change.size == pytest.approx(factor)
    low, high = found.change.interval
    assert low < factor < high
    assert found.change.moved
    assert (found.portfolios, found.alike, found.moved, found.comparisons) == (4, 4, 4, 50)
    assert found.medians[1] == pytest.approx(factor * found.medians[0])


def test_the_sentence_says_which_way_how_far_where_and_how_certain():
    then = tenants(1)
    found = moved(then, 1.5 * then.values)
    low, high = (f"{bound:.2f}" for bound in found.change.interval)
    means, medians = (f"{pair[0]:.1f} to {1.5 * pair[0]:.1f}" for pair in (found.means, found.medians))
    assert level_sentence(HOURS, found, TENANT_WORDS) == (
        f"{HOURS} rose to 1.50 times compared with the live release, in all 4 portfolios with at least 30 tenants: the "
        f"mean went from {means}, the median from {medians} ({low} to {high} times, with 95% certainty over 50 "
        "comparisons)"
    )
    fallen = level_sentence(HOURS, moved(then, then.values / 2), TENANT_WORDS)
    assert fallen is not None
    assert fallen.startswith(f"{HOURS} fell to 0.50 times")


def test_one_portfolio_alone_is_named_and_not_the_whole():
    then = tenants(2)
    found = moved(then, np.where(then.portfolios == 2, 1.5 * then.values, then.values))
    assert (found.moved, found.alike) == (1, 1)
    assert found.farthest[0].name == "North Quay"
    assert found.farthest[0].change.size == pytest.approx(1.5, rel=0.05)
    sentence = level_sentence(HOURS, found, TENANT_WORDS)
    assert sentence is not None
    assert sentence.startswith(f"{HOURS} rose to 1.")
    assert " times in 'North Quay' (1." in sentence
    assert f"over all tenants the size is {found.change.size:.2f} times (4 portfolios" in sentence


def test_two_portfolios_of_four_that_move_apart_are_both_named():
    then = tenants(3)
    factors = np.array([2.0, 0.5, 1.0, 1.0])
    sentence = level_sentence(HOURS, moved(then, factors[then.portfolios] * then.values), TENANT_WORDS)
    assert sentence is not None
    assert "rose to 1.9" in sentence or "rose to 2.0" in sentence
    assert "in 'Elm Court'" in sentence
    assert "fell to 0.5" in sentence
    assert "in 'Mill Lofts'" in sentence


@pytest.mark.parametrize("factor", [505 / 506, 506 / 505, 364 / 365, 90 / 89, 1.05])
def test_what_is_certain_but_too_small_is_not_named(factor: float):
    then = tenants(4, 100_000)
    found = moved(then, factor * then.values)
    assert found.change.size == pytest.approx(factor)
    assert level_sentence(HOURS, found, TENANT_WORDS) is None


def test_a_share_moves_by_a_difference():
    random = np.random.default_rng(5)
    then = Column(random.beta(8, 2, 2_000), np.zeros(2_000, dtype=np.intp))
    found = moved(then, then.values - 0.1, "none")
    assert (found.measure, found.portfolios) == ("difference", 0)
    assert found.change.size == pytest.approx(-0.1)
    sentence = level_sentence("share of calls answered", found, TENANT_WORDS)
    assert sentence is not None
    assert sentence.startswith(
        "share of calls answered fell by 0.10 compared with the live release: the mean went from "
    )
    assert level_sentence("", moved(then, then.values - 0.01, "none"), TENANT_WORDS) is None


def test_the_interval_of_a_difference_is_that_of_two_means():
    random = np.random.default_rng(6)
    then, now = (Column(random.uniform(0, 1, 500), np.zeros(500, dtype=np.intp)) for _ in range(2))
    clipped = [np.clip(side.values, *np.quantile(side.values, [0.01, 0.99])) for side in (then, now)]
    middle = clipped[1].mean() - clipped[0].mean()
    half = 1.9647 * np.sqrt(sum(side.var(ddof=1) / 500 for side in clipped))  # Student's t, 499 degrees, 95%
    assert moved(then, now, "none", 1).change.interval == pytest.approx((middle - half, middle + half), rel=1e-3)


def test_one_broken_clock_decides_nothing():
    then = tenants(7)
    values = then.values.copy()
    values[:5] = 1e9
    assert level_sentence(HOURS, moved(then, values), TENANT_WORDS) is None


def test_too_few_tenants_or_nothing_but_zeros_say_nothing():
    few = Column(np.append(np.full(29, 1.0), np.nan), np.zeros(30, dtype=np.intp))
    assert level_shift(few, few, ["all"], "log1p", 1) is None
    none = Column(np.zeros(500), np.zeros(500, dtype=np.intp))
    assert level_shift(none, Column(none.values + 1, none.portfolios), ["all"], "log1p", 1) is None
    assert moved(none, none.values + 1, "none").change.moved  # a difference has no such difficulty


def test_small_portfolios_are_not_looked_at():
    then = tenants(8, 400)
    small = Column(then.values, np.where(np.arange(400) < 20, 3, then.portfolios % 3))
    assert moved(small, 3 * small.values).portfolios == 3


def test_the_order_of_the_rows_does_not_move_one_bit():
    then, now = tenants(9), tenants(10)
    order = np.random.default_rng(0).permutation(4_000)
    shuffled = Column(now.values[order], now.portfolios[order])
    assert moved(then, now) == moved(then, shuffled)


@pytest.mark.parametrize("number", [60, 200, *(pytest.param(n, marks=pytest.mark.slow) for n in (1_000, 5_000))])
def test_nothing_is_named_where_nothing_has_changed(number: int):
    """In at most 5% of releases of ten features, together."""
    names = 0
    for draw in range(200):
        releases = [[tenants(1_000 * draw + 10 * side + feature, number) for feature in range(10)] for side in (0, 1)]
        names += any(
            (found := level_shift(then, now, NAMES, "log1p", 10)) and level_sentence(HOURS, found, TENANT_WORDS)
            for then, now in zip(*releases, strict=True)
        )
    assert names <= 10
