"""The groups of the real households: what must hold of them before anyone is called bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.earlier_rules import EarlierRules, choose_groups
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.held_rule import hold_groups
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.statistics.ranks import probability_worse
from tenant_experience.use_case.group_choice import FIND_NEW
from tests.support.generated_tenants import (
    REAL_TABLE,
    other_ids,
    real_table,
    renamed,
    shipped_use_case,
    slower,
    use_case_with,
    write_table,
)
from tests.support.requirements import needs_shared_data
from tests.support.slow_managers import slow_managers

pytestmark = [needs_shared_data(REAL_TABLE.name), pytest.mark.slow]
ALL = Partition("all", "all")


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    return real_table()


@pytest.fixture(scope="module")
def found(table: FeatureTable) -> tuple[Grouping, GroupRows]:
    return group_partition(table, ALL, shipped_use_case(), "r1")


def test_the_groups_are_stable_and_more_than_shuffled_columns_give(found: tuple[Grouping, GroupRows]) -> None:
    grouping, _ = found
    assert grouping.stability is not None
    assert grouping.permuted_variance is not None
    assert grouping.stability.ari_median >= 0.95
    assert grouping.stability.ari_minimum >= 0.9
    assert grouping.explained_variance >= 1.5 * grouping.permuted_variance


def test_it_is_said_that_they_are_a_cut_through_a_continuum(found: tuple[Grouping, GroupRows]) -> None:
    [warning] = found[0].warnings
    assert "cut through a continuum" in warning


@pytest.mark.parametrize(("factor", "anew", "frozen"), [(1.5, 0.502, 0.588), (2, 0.500, 0.658), (4, 0.505, 0.800)])
def test_when_all_fare_worse_only_the_frozen_rule_shows_it(
    factor: float, anew: float, frozen: float, table: FeatureTable, found: tuple[Grouping, GroupRows]
) -> None:
    grouped = choose_groups(slower(table, factor), ALL, shipped_use_case(), "r2", FIND_NEW, EarlierRules(live=found[0]))
    assert grouped.yardstick.own.whole.share == pytest.approx(anew, abs=0.001)
    assert grouped.yardstick.frozen is not None
    assert grouped.yardstick.frozen.whole.share == pytest.approx(frozen, abs=0.001)


def test_landlords_of_500_inherit_groups(table: FeatureTable, found: tuple[Grouping, GroupRows]) -> None:
    whole = dict(zip(found[1].tenant_id.tolist(), found[1].label.tolist(), strict=True))
    chance, agreements = np.random.default_rng(0), []
    for _ in range(16):
        drawn = chance.permutation(len(table))
        rule, _ = group_partition(table.take(np.sort(drawn[:10_000])), ALL, shipped_use_case(), "r1")
        landlord = table.take(np.sort(drawn[10_000:10_500]))
        grouping, rows = hold_groups(landlord, ALL, shipped_use_case(), rule, "inherited")
        assert grouping.scale == "inherited"
        agreements.append(adjusted_rand_score([whole[tenant] for tenant in rows.tenant_id.tolist()], rows.label))
    assert min(agreements) >= 0.9


def test_negative_tickets_are_too_rare_to_tell_more(found: tuple[Grouping, GroupRows], table: FeatureTable) -> None:
    """Nine tenants in ten have no negative ticket at all: as ties count half, P(worse) can hardly leave 0.5."""
    bad, rate = found[1].bad, table.column("negative_rate")
    some = rate > 0
    assert some.mean() == pytest.approx(0.115, abs=0.001)
    measured = probability_worse(rate, bad, 1)
    assert measured == pytest.approx(0.562, abs=0.002)
    # All of them in the bad group, were that so.
    assert 0.5 + some.mean() / bad.mean() / 2 == pytest.approx(0.617, abs=0.002)
    assert some[bad].mean() > 3 * some[~bad].mean()


def test_fifty_row_orders_change_nothing_that_is_read(table: FeatureTable, tmp_path: Path) -> None:
    some = table.take(np.arange(0, len(table), 10)).in_order_of_content()
    path = tmp_path / "features.parquet"
    for seed in range(50):
        write_table(some, path, np.random.default_rng(seed).permutation(len(some)))
        read = read_features(path, shipped_use_case())
        assert np.array_equal(read.values, some.values)
        assert np.array_equal(read.tenant_id, some.tenant_id)


@pytest.mark.parametrize("key", ["pseudonyms", "others"])
def test_other_ids_move_no_label(found: tuple[Grouping, GroupRows], table: FeatureTable, key: str) -> None:
    ids = other_ids(table, key)
    grouping, rows = group_partition(renamed(table, ids), ALL, shipped_use_case(), "r1")
    assert grouping == found[0]
    before, now = dict(zip(ids, found[1].label, strict=True)), dict(zip(rows.tenant_id, rows.label, strict=True))
    assert sum(before[name] != label for name, label in now.items()) == 0
    # Households that are alike in everything take turns; the others stay in their part of the split.
    alike = len(table) - len(np.unique(table.values, axis=0))
    parts = dict(zip(ids, found[1].split, strict=True))
    assert sum(parts[name] != part for name, part in zip(rows.tenant_id, rows.split, strict=True)) <= 2 * alike
    assert np.array_equal(rows.split, found[1].split)


def test_three_groups_are_refused_with_figures(table: FeatureTable) -> None:
    with pytest.raises(AlgorithmError, match="bad is not worse than opportunity on mean_first_response_hr") as refusal:
        group_partition(table, ALL, use_case_with(groups=3), "r1")
    assert refusal.value.code == "groups_not_ordered"


def test_slow_managers_show_on_the_global_scale_and_hide_on_local_ones(table: FeatureTable) -> None:
    slowdown, on_global, on_local = slow_managers(table, 0)
    assert spearmanr(slowdown, on_global).statistic >= 0.9
    assert spearmanr(slowdown, on_local).statistic < 0.4
