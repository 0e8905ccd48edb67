"""What past periods say: with two pairs of them, with one, with too few tenants, and with a period that is empty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.groups.backtest import LEAST_PAIRS, fit_next_period, reliability, with_priors
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.grouping import Grouping
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.statistics.reliability import calibration_error
from tests.support.generated_tenants import use_case, use_case_with
from tests.support.true_tenants import true_tenants

ALL = Partition("all", "all")


@pytest.fixture(scope="module")
def periods() -> list[FeatureTable]:
    tenants = true_tenants(2_500)
    return [tenants.period(number) for number in range(3)]


@pytest.fixture(scope="module")
def grouping(periods: list[FeatureTable]) -> Grouping:
    return with_priors(group_partition(periods[-1], ALL, use_case(), "r1")[0], periods[-1], 365)


def test_the_later_pair_tests_what_the_earlier_one_fitted(grouping: Grouping, periods: list[FeatureTable]) -> None:
    _, found = fit_next_period(grouping, periods[-1], periods)
    assert found.basis == "backtest"
    backtest = found.backtest
    assert backtest
    assert backtest.tested_on == "later_pair"
    assert [(pair.earlier[:4], pair.later[:4]) for pair in backtest.pairs] == [("2020", "2021"), ("2021", "2022")]
    assert backtest.tenants == backtest.pairs[1].tenants > 2_400
    label = grouping.assign(periods[2])
    assert backtest.worst == pytest.approx(label.sum(), abs=10)
    assert backtest.published.calibration_error < 0.05 < backtest.as_redrawn.calibration_error
    assert sum(row.tenants for row in backtest.published.bins) == backtest.tenants


def test_the_tested_period_has_no_part_in_what_is_tested(grouping: Grouping, periods: list[FeatureTable]) -> None:
    """With the labels of the newest period turned round, what was published stays the same, and fails the test."""
    newest = periods[-1]
    order = np.argsort(grouping.assign(newest), kind="stable")
    values = np.empty_like(newest.values)
    values[order] = newest.values[order[::-1]]
    _, honest = fit_next_period(grouping, newest, periods)
    _, turned = fit_next_period(grouping, newest, [*periods[:-1], replace(newest, values=values)])
    assert honest.backtest
    assert turned.backtest
    told = [[row.mean_probability for row in each.backtest.published.bins] for each in (honest, turned)]
    assert told[0] == told[1]
    assert turned.backtest.published.calibration_error > 0.3


def test_one_pair_is_cross_fitted(grouping: Grouping, periods: list[FeatureTable]) -> None:
    _, found = fit_next_period(grouping, periods[-1], periods[1:])
    assert found.backtest
    assert found.backtest.tested_on == "cross_fitted"
    assert len(found.backtest.pairs) == 1
    assert found.backtest.published.calibration_error < 0.05


def test_persistence_is_counted(grouping: Grouping, periods: list[FeatureTable]) -> None:
    _, found = fit_next_period(grouping, periods[-1], periods[1:])
    before, after = (grouping.assign(period) for period in periods[1:])
    complete = grouping.complete(periods[1].numbers)
    for group in (0, 1):
        members = complete & (before == group)
        assert found.persistence[group][1] == pytest.approx(after[members].mean())


def test_with_one_snapshot_persistence_is_what_redraws_say(grouping: Grouping, periods: list[FeatureTable]) -> None:
    same, found = fit_next_period(grouping, periods[-1], periods[-1:])
    assert same == grouping
    assert (found.basis, found.backtest, found.recalibration) == ("one_snapshot", None, None)
    (stays_good, _), (_, stays_bad) = found.persistence
    assert 0.6 < stays_bad < 0.95 < 1.9 - stays_good
    assert stays_good > 0.6


@pytest.mark.parametrize("count", [LEAST_PAIRS - 1, 40])
def test_too_few_tenants_in_both_periods_are_no_backtest(
    grouping: Grouping, periods: list[FeatureTable], count: int
) -> None:
    few = periods[1].take(np.arange(count))
    assert fit_next_period(grouping, periods[-1], [few, periods[-1]])[1].basis == "one_snapshot"


def test_too_few_of_one_group_are_no_backtest(grouping: Grouping, periods: list[FeatureTable]) -> None:
    good = np.flatnonzero(grouping.assign(periods[-1]) == 0)
    assert fit_next_period(grouping, periods[-1], [periods[1].take(good), periods[-1]])[1].basis == "one_snapshot"


def test_tenants_with_too_little_history_are_left_out(grouping: Grouping, periods: list[FeatureTable]) -> None:
    history = np.where(np.arange(2_500) % 2, periods[1].history, INSUFFICIENT)
    _, found = fit_next_period(grouping, periods[-1], [replace(periods[1], history=history), periods[-1]])
    assert found.backtest
    assert found.backtest.tenants + found.backtest.pairs[0].incomplete == 1_250


def test_an_earlier_pair_that_is_too_small_leaves_the_later_one(
    grouping: Grouping, periods: list[FeatureTable]
) -> None:
    _, found = fit_next_period(grouping, periods[-1], [periods[0].take(np.arange(50)), *periods[1:]])
    assert found.backtest
    assert (found.backtest.tested_on, len(found.backtest.pairs)) == ("cross_fitted", 1)


def test_a_rule_that_is_kept_gets_the_priors_of_its_new_tenants(
    grouping: Grouping, periods: list[FeatureTable]
) -> None:
    """A rule of an earlier release may have other priors, or none, and its use case another window."""
    kept = grouping.model_copy(update={"priors": {}, "window_days": 30})
    assert with_priors(kept, periods[-1], 365) == grouping
    assert with_priors(kept, periods[0], 365).priors != grouping.priors


def test_the_backtest_decides_whether_shrinking_helps(grouping: Grouping, periods: list[FeatureTable]) -> None:
    """Priors that are wrong on purpose are dropped."""
    wrong = {name: prior.model_copy(update={"strength": 1e5}) for name, prior in grouping.priors.items()}
    kept, _ = fit_next_period(grouping, periods[-1], periods)
    dropped, found = fit_next_period(grouping.model_copy(update={"priors": wrong}), periods[-1], periods)
    assert kept.priors == grouping.priors
    assert found.backtest
    assert dropped.priors == {}
    assert not found.backtest.shrunk
    assert found.backtest.published.calibration_error < 0.05


def test_it_is_the_same_for_every_order_of_the_tenants_that_joined(
    grouping: Grouping, periods: list[FeatureTable]
) -> None:
    """A tenant that is in one period alone changes nothing."""
    fewer = periods[1].take(np.arange(0, 2_500, 2))
    once = fit_next_period(grouping, periods[-1], [fewer, periods[-1]])
    again = fit_next_period(grouping, periods[-1], [fewer, periods[-1].take(np.arange(0, 2_500, 2))])
    assert once == again


def test_three_groups_have_a_matrix() -> None:
    tenants = true_tenants(3_000, seed=3, between=0)
    periods = [tenants.period(number) for number in range(2)]
    grouping = three_groups(periods[-1])
    _, found = fit_next_period(grouping, periods[-1], periods)
    assert found.backtest
    assert found.recalibration
    assert (len(found.recalibration.intercepts), len(found.persistence)) == (2, 3)
    assert found.backtest.published.calibration_error < 0.05
    assert found.backtest.published.log_loss < found.backtest.as_redrawn.log_loss


def three_groups(table: FeatureTable) -> Grouping:
    limits = {"probability_worse": 0.5, "stability_median": 0.0, "stability_minimum": 0.0, "structure_ratio": 1.0}
    return with_priors(group_partition(table, ALL, use_case_with(groups=3, limits=limits), "r1")[0], table, 365)


def test_reliability_is_counted_as_it_says() -> None:
    probability = np.array([0.01, 0.02, 0.04, 0.55, 0.95, 0.95])
    after = np.array([0, 1, 0, 1, 1, 0])
    found = reliability(np.column_stack([1 - probability, probability]), after)
    assert found.brier == pytest.approx(((probability - after) ** 2).mean())
    told = np.where(after == 1, probability, 1 - probability)
    assert found.log_loss == pytest.approx(-np.log(told).mean())
    # The same figure as that of every other probability, in which chance does not count as an error.
    assert (found.calibration_error, (found.low, found.high)) == calibration_error(after == 1, probability)
    assert found.calibration_error < (abs(1 - 0.07) + abs(1 - 0.55) + abs(1 - 1.9)) / 6
    assert found.low <= found.calibration_error <= found.high
    assert [(row.low_end, row.tenants, row.share) for row in found.bins] == [
        (0.0, 3, pytest.approx(1 / 3)),
        (0.5, 1, 1.0),
        (0.9, 2, 0.5),
    ]
    assert (found.told_less.tenants, found.told_less.came_true) == (3, 1)
    assert found.told_less.share == pytest.approx(1 / 3)


@pytest.mark.parametrize("tenants", [60, 300])
def test_probabilities_that_are_right_have_no_calibration_error(tenants: int) -> None:
    errors = []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        probability = chance.uniform(size=tenants)
        after = (chance.uniform(size=tenants) < probability).astype(np.intp)
        found = reliability(np.column_stack([1 - probability, probability]), after)
        errors.append((found.calibration_error, found.low))
    assert np.median([error for error, _ in errors]) < 0.02
    assert sum(low == 0 for _, low in errors) >= 36


def test_nobody_told_so_little_is_no_share() -> None:
    found = reliability(np.full((10, 2), 0.5), np.arange(10) % 2)
    assert (found.told_less.tenants, found.told_less.share) == (0, None)
