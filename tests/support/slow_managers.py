"""Managers made slow on purpose: households dealt into portfolios at random, whose hours are stretched as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups._methods import find_groups
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.markers import marker_values, usable_markers
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.statistics.threads import one_thread
from tests.support.generated_tenants import use_case

PORTFOLIO, SPREAD = 283, 0.475
HOURS = ("mean_first_response_hr", "mean_full_resolution_hr")


def slow_managers(table: FeatureTable, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per portfolio of 283: the slowdown (log-normal), and the share of bad by global and by its own groups."""
    chance = np.random.default_rng(seed)
    portfolios = len(table) // PORTFOLIO
    portfolio = chance.permutation(len(table)) % portfolios
    slowdown = np.exp(chance.normal(0, SPREAD, portfolios))
    values = table.values.copy()
    for name in HOURS:
        values[:, table.features.index(name)] *= slowdown[portfolio]
    slowed = replace(table, values=values)
    _, rows = group_partition(slowed, Partition("all", "all"), use_case(), "r1")
    markers, _ = usable_markers(slowed, use_case())
    matrix, local = marker_values(slowed, markers), np.empty(len(slowed))
    with one_thread():
        for number in range(portfolios):
            own = matrix[portfolio == number]
            rule, _ = find_groups(own, [marker.direction for marker in markers], "kmeans", 2)
            local[portfolio == number] = rule.assign(own)
    sizes = np.bincount(portfolio)
    return slowdown, np.bincount(portfolio, rows.bad) / sizes, np.bincount(portfolio, local) / sizes
