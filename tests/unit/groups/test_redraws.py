"""The quick way to P(bad) gives the exact rule's shares to the bit, and leaves few tenants to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups import uncertainty
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.uncertainty import DRAWS, group_shares
from tenant_experience.jobs.partition_runs import Partition
from tests.support.generated_tenants import generated_table, use_case_with
from tests.support.parameters import mostly_slow

TENANTS = 1_300


def awkward_table(lots: int = 2) -> FeatureTable:
    """Tenants with gaps, few days and huge or tiny values."""
    table = generated_table(TENANTS, seed=3, lots=lots)
    chance = np.random.default_rng(4)
    days = np.where(chance.random(TENANTS) < 0.5, 365.0, np.floor(chance.uniform(90, 365, TENANTS)))
    days[:20] = np.nan
    values = table.values.copy()
    values[chance.random(values.shape) < 0.1] = np.nan
    values[100] = np.nan
    values[101:105] = 0
    values[105:108] = 1e300
    values[108] = np.inf
    values[109:111, :5] = -0.5
    return replace(table, values=values, side={"exposure_days": days})


def grouping_of(method: str, groups: int) -> Grouping:
    rules = use_case_with(method, groups, {"stability_median": 0, "stability_minimum": 0})
    rules = rules.model_copy(update={"gates": rules.gates.model_copy(update={"pooled_tenants": 100})})
    return group_partition(generated_table(TENANTS, seed=3, lots=groups), Partition("all", "all"), rules, "r1")[0]


def shares(grouping: Grouping, table: FeatureTable, rows: slice) -> np.ndarray:
    columns = {name: table.column(name)[rows] for name in table.features}
    with np.errstate(all="ignore"):
        return group_shares(grouping, columns, table.side["exposure_days"][rows])


@pytest.mark.parametrize(
    ("method", "groups"), mostly_slow([("kmeans", 2), ("gaussian_mixture", 2), ("kmeans", 3), ("ward", 2)], kept=(0, 1))
)
def test_a_tenant_among_others_has_the_shares_that_it_has_alone(method: str, groups: int) -> None:
    """One tenant alone is drawn by the exact rule."""
    grouping, table = grouping_of(method, groups), awkward_table(groups)
    assert grouping.noise
    together = shares(grouping, table, slice(None))
    alone = np.vstack([shares(grouping, table, slice(row, row + 1)) for row in range(TENANTS)])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_allclose(together.sum(axis=1), 1)
    assert ((together > 0) & (together < 1)).any(axis=1).mean() > 0.1


def test_a_tenant_on_the_boundary_is_in_the_better_group_whichever_way_it_is_drawn() -> None:
    """Its draws do not differ, and rounding must not decide."""
    grouping = grouping_of("kmeans", 2)
    middle = [
        marker.model_copy(update={"centroids": (-1.0, 1.0), "mean": 0.0, "deviation": 1.0, "transform": "none"})
        for marker in grouping.markers
    ]
    grouping = grouping.model_copy(update={"markers": tuple(middle), "noise": {}})
    columns = {marker.name: np.zeros(50) for marker in middle}
    # No share of so many draws is quite 0 or 1.
    least = 0.5 / (DRAWS + 1)
    assert group_shares(grouping, columns, None).tolist() == [pytest.approx([1 - least, least])] * 50


def test_few_tenants_are_left_to_the_exact_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, so that the quick way cannot quietly stop being taken."""
    table, left = generated_table(5_000, seed=8), []
    exact = uncertainty._exact_shares
    monkeypatch.setattr(uncertainty, "_exact_shares", lambda *arguments: left.append(arguments[2]) or exact(*arguments))
    found = uncertainty.probability_bad(grouping_of("kmeans", 2), table)
    draws = found * (DRAWS + 1) - 0.5
    assert draws == pytest.approx(np.rint(draws), abs=1e-9)
    assert sum(left) < 0.1 * len(table)
