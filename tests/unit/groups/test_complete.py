"""What counts as known: a mean of nothing was not hidden, and a value that is merely not there was."""

from __future__ import annotations

import numpy as np
import pytest

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.grouping import Grouping
from tenant_experience.jobs.partition_runs import Partition
from tests.support.generated_tenants import use_case
from tests.support.true_tenants import true_tenants

HOURS = ("mean_first_response_hr", "mean_full_resolution_hr")


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    return true_tenants(1_500).period(0)


@pytest.fixture(scope="module")
def grouping(table: FeatureTable) -> Grouping:
    return group_partition(table, Partition("all", "all"), use_case(), "r1")[0]


def known(grouping: Grouping, table: FeatureTable, *without: str, **values: float) -> bool:
    """Whether all is known of a tenant that has these values, others as the first one has them."""
    row = {name: column[:1].copy() for name, column in table.numbers.items() if name not in without}
    for name, value in values.items():
        row[name][0] = value
    return bool(grouping.complete(row)[0])


NOTHING = dict.fromkeys((*HOURS, "negative_rate"), np.nan) | {"total_tickets": 0.0, "total_maintenance_tickets": 0.0}


def test_all_markers_known(grouping: Grouping, table: FeatureTable) -> None:
    assert known(grouping, table)


@pytest.mark.parametrize("name", [*HOURS, "negative_rate", "answer_rate", "escalation_count"])
def test_a_missing_one_is_not_known(grouping: Grouping, table: FeatureTable, name: str) -> None:
    assert not known(grouping, table, **{name: np.nan}, total_tickets=3.0)


def test_a_mean_of_nothing_is_known(grouping: Grouping, table: FeatureTable) -> None:
    assert known(grouping, table, **NOTHING)


@pytest.mark.parametrize(
    "changes",
    [
        {"total_tickets": 1.0},
        {"total_tickets": np.nan},
        {"total_maintenance_tickets": 2.0},
        {"answer_rate": np.nan},
        {"escalation_count": np.nan},
    ],
    ids=str,
)
def test_it_must_be_nothing_for_sure(grouping: Grouping, table: FeatureTable, changes: dict[str, float]) -> None:
    assert not known(grouping, table, **(NOTHING | changes))


def test_a_count_that_no_model_reads_is_nothing_for_all(grouping: Grouping, table: FeatureTable) -> None:
    """A model leaves out a feature that is the same for all; without any of the counts, nothing is known."""
    hours = dict.fromkeys(HOURS, np.nan)
    without = grouping.model_copy(
        update={"markers": tuple(m for m in grouping.markers if m.name != "total_maintenance_tickets")}
    )
    assert known(without, table, "total_maintenance_tickets", total_tickets=0.0, **hours)
    assert not known(without, table, "total_maintenance_tickets", total_tickets=2.0, **hours)
    assert not known(without, table, "total_maintenance_tickets", "total_tickets", **hours)


def test_a_tenant_of_whom_all_is_known_has_its_own_group(grouping: Grouping, table: FeatureTable) -> None:
    """The label that tenants are taught with is the rule's, gaps filled with the median."""
    complete = grouping.complete(table.numbers)
    gaps = np.isnan(table.matrix([marker.name for marker in grouping.markers])).any(axis=1)
    assert 0 < np.count_nonzero(complete & gaps) < np.count_nonzero(complete)
    raw = table.matrix([marker.name for marker in grouping.markers])
    assert np.array_equal(grouping.assign_values(raw[complete]), grouping.assign(table)[complete])
