"""P(bad): how often a tenant would fall into the bad group if its year happened again.

A count that was seen is one draw of a Poisson variable, a mean of hours one of a gamma, a rate one of a binomial
(``noise`` of a feature in use_case.yaml). Each tenant's markers are drawn anew 1,021 times, and the rule of the groups
decides each time. Markers without noise stay as they are, and so do missing values, which the rule handles itself.

The draws are quantiles at fixed points, a lattice (Korobov, with the multiplier 331 of L'Ecuyer and Lemieux, 2000), not
random numbers: the same tenant has the same P(bad) always and everywhere, alone or among others, and so few points
come within 0.03 of the result of a hundred thousand random draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups._quick_redraws import Redraws, quick_shares
from tenant_experience.groups.grouping import Grouping
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.features import Noise

DRAWS = 1_021
_MULTIPLIER = 331
_POINTS: Floats = (np.arange(DRAWS) + 0.5) / DRAWS
# Counts are per this many days; it is also the assumed exposure of a tenant whose exposure is unknown.
_YEAR = 365.0
_ROWS_AT_ONCE, _EXACT_ROWS_AT_ONCE = 512, 64
# For fewer tenants, the exact rule is the quicker one.
_FEW = 8
# Above these, exact quantiles would cost too much memory, and an approximation is as good.
_LARGEST_POISSON, _LARGEST_BINOMIAL, _LARGEST_GAMMA = 10_000, 10_000, 1_000_000


def probability_bad(grouping: Grouping, table: FeatureTable) -> Floats:
    """P(bad) of every tenant of ``table``, shape (tenants,), between 0 and 1."""
    values = {name: table.column(name) for name in table.features if name not in table.categories}
    return group_shares(grouping, values, table.side.get("exposure_days"))[:, -1]


def group_shares(grouping: Grouping, values: Mapping[str, Floats], exposure_days: Floats | None) -> Floats:
    """How often each tenant would be in each group.

    Args:
        grouping: the rule, and which of its markers are noisy, and how.
        values: feature -> value of each tenant, NaN = missing; the markers, and where they are known the counts that
            noise is ``of``.
        exposure_days: days each tenant was seen, NaN where unknown; None when that holds for all.

    Returns:
        Shape (tenants, groups), from the best off to the worst off; each row sums to 1, and no share is 0.
    """
    tenants = len(values[grouping.markers[0].name])
    days = np.full(tenants, np.nan) if exposure_days is None else exposure_days
    years = np.where(days > 0, days, _YEAR) / _YEAR
    shares = np.empty((tenants, len(grouping.classes)))
    for first in range(0, tenants, _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        shares[rows] = _shares(grouping, {name: value[rows] for name, value in values.items()}, years[rows])
    return shares


def _shares(grouping: Grouping, values: Mapping[str, Floats], years: Floats) -> Floats:
    markers = [
        values[marker.name]
        if (noise := grouping.noise.get(marker.name)) is None
        else _redraws(noise, values[marker.name], values, years, place)
        for place, marker in enumerate(grouping.markers)
    ]
    few = len(years) < _FEW
    shares = np.full((len(years), len(grouping.classes)), np.nan) if few else quick_shares(grouping, markers, DRAWS)
    left = np.flatnonzero(np.isnan(shares[:, 0]))
    for first in range(0, len(left), _EXACT_ROWS_AT_ONCE):
        rows = left[first : first + _EXACT_ROWS_AT_ONCE]
        shares[rows] = _exact_shares(grouping, [marker[rows] for marker in markers], len(rows))
    return shares


def _exact_shares(grouping: Grouping, markers: Sequence[Redraws | Floats], tenants: int) -> Floats:
    # Marker by marker in memory: the rule's sums over markers are then sums of long rows, several times as quick.
    drawn = np.empty((len(markers), tenants, DRAWS))
    for place, marker in enumerate(markers):
        drawn[place] = marker.exact() if isinstance(marker, Redraws) else marker[:, np.newaxis]
    groups = grouping.assign_values(drawn.reshape(len(drawn), -1).T).reshape(-1, DRAWS)
    count = len(grouping.classes)
    times = np.column_stack([(groups == number).sum(axis=1) for number in range(count)])
    # So many draws cannot tell less than half a draw (Jeffreys' prior).
    return np.asarray((times + 0.5) / (DRAWS + 0.5 * count))


def _redraws(noise: Noise, value: Floats, values: Mapping[str, Floats], years: Floats, place: int) -> Redraws:
    """How one marker, which is at ``place``, is drawn anew."""
    known = np.where(np.isnan(value), np.nan, 1.0)
    if noise.kind == "poisson":
        return _of_variables(_poisson, [value * years], known, years, place)
    seen = np.zeros_like(years)
    for name in noise.of:
        seen += np.nan_to_num(values[name]) if name in values else 0.0
    # A known mean or rate comes from at least one observation.
    terms, once = np.maximum(np.rint(seen * years), 1), np.ones_like(years)
    if noise.kind == "gamma":
        return _of_variables(_gamma, [np.minimum(terms, _LARGEST_GAMMA)], value, once, place)
    return _of_variables(_binomial, [np.minimum(terms, _LARGEST_BINOMIAL), np.clip(value, 0, 1)], known, once, place)


def _of_variables(
    of: Callable[..., Floats], parameters: Sequence[Floats], times: Floats, over: Floats, place: int
) -> Redraws:
    return Redraws(of, np.nan_to_num(np.column_stack(parameters)), times, over, _order(place))


@lru_cache(maxsize=64)
def _order(place: int) -> NDArray[np.intp]:
    return np.arange(DRAWS) * pow(_MULTIPLIER, place, DRAWS) % DRAWS


@lru_cache(maxsize=2_048)
def _poisson(mean: float) -> Floats:
    mean = max(mean, 0.0)
    if mean > _LARGEST_POISSON:
        return np.rint(mean + np.sqrt(mean) * special.ndtri(_POINTS))  # type: ignore[no-any-return]
    support = np.arange(int(mean + 10 * np.sqrt(mean)) + 20)
    return np.searchsorted(special.pdtr(support, mean), _POINTS).astype(np.float64)


@lru_cache(maxsize=2_048)
def _gamma(terms: float) -> Floats:
    """Of mean 1: a mean of ``terms`` waiting times."""
    return special.gammaincinv(terms, _POINTS) / terms  # type: ignore[no-any-return]


@lru_cache(maxsize=2_048)
def _binomial(terms: float, rate: float) -> Floats:
    """Of the share, not the number."""
    support = np.arange(int(terms) + 1)
    return np.searchsorted(special.bdtr(support, int(terms), rate), _POINTS) / terms
