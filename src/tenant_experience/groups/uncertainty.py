"""P(bad): how often a tenant would fall into the bad group over the next period, as far as its own period tells.

A count that was seen is one draw of a Poisson variable, a mean of hours one of a gamma, a rate one of a binomial
(``noise`` of a feature in use_case.yaml). Each tenant's markers are drawn anew 1,021 times, and the rule of the groups
decides each time. What is drawn from is not what was seen, but what is known of the tenant after it was seen
(``shrinkage``): its true rate is unknown too, so counts are negative binomial, means of hours follow a scaled F, and
rates are beta-binomial. Without priors (documents of earlier releases, too few tenants), what was seen is taken to be
the true rate. Markers without noise stay as they are, and so do missing values, which the rule handles itself.

The draws are quantiles at fixed points, a lattice (Korobov, with the multiplier 331 of L'Ecuyer and Lemieux, 2000), not
random numbers: the same tenant has the same P(bad) always and everywhere, alone or among others, and so few points
come within 0.03 of the result of a hundred thousand random draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups._quick_redraws import Redraws, Single, quick_shares
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.shrinkage import YEAR, Prior, events_behind, exposure_years
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.features import Noise

DRAWS = 1_021
_MULTIPLIER = 331
_POINTS: Floats = (np.arange(DRAWS) + 0.5) / DRAWS
_ROWS_AT_ONCE, _EXACT_ROWS_AT_ONCE = 512, 64
# For fewer tenants, the exact rule is the quicker one.
_FEW = 8
# Above these, exact quantiles would cost too much memory, and an approximation is as good.
_LARGEST_POISSON, _LARGEST_BINOMIAL, _LARGEST_GAMMA = 10_000, 10_000, 1_000_000
# A beta distribution needs some weight on both sides.
_LEAST_WEIGHT = 1e-9


def probability_bad(grouping: Grouping, table: FeatureTable) -> Floats:
    """P(bad) of every tenant of ``table``, shape (tenants,), between 0 and 1."""
    return group_shares(grouping, table.numbers, table.side.get("exposure_days"))[:, -1]


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
    years = exposure_years(exposure_days, tenants)
    shares = np.empty((tenants, len(grouping.classes)))
    for first in range(0, tenants, _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        shares[rows] = _shares(grouping, {name: value[rows] for name, value in values.items()}, years[rows])
    return shares


def _shares(grouping: Grouping, values: Mapping[str, Floats], years: Floats) -> Floats:
    markers = [
        values[marker.name]
        if (noise := grouping.noise.get(marker.name)) is None
        else _redraws(grouping, noise, marker.name, values, years, place)
        for place, marker in enumerate(grouping.markers)
    ]
    few = len(years) < _FEW
    shares = np.full((len(years), len(grouping.classes)), np.nan) if few else quick_shares(grouping, markers, DRAWS)
    left = np.flatnonzero(np.isnan(shares[:, 0]))
    for first in range(0, len(left), _EXACT_ROWS_AT_ONCE):
        rows = left[first : first + _EXACT_ROWS_AT_ONCE]
        shares[rows] = _exact_shares(grouping, [marker[rows] for marker in markers], len(rows))
    # So many draws cannot tell less than half a draw (Jeffreys' prior).
    return np.asarray((shares * DRAWS + 0.5) / (DRAWS + 0.5 * len(grouping.classes)))


def _exact_shares(grouping: Grouping, markers: Sequence[Redraws | Floats], tenants: int) -> Floats:
    # Marker by marker in memory: the rule's sums over markers are then sums of long rows, several times as quick.
    drawn = np.empty((len(markers), tenants, DRAWS))
    for place, marker in enumerate(markers):
        drawn[place] = marker.exact() if isinstance(marker, Redraws) else marker[:, np.newaxis]
    groups = grouping.assign_values(drawn.reshape(len(drawn), -1).T).reshape(-1, DRAWS)
    return np.column_stack([(groups == number).mean(axis=1) for number in range(len(grouping.classes))])


def _redraws(
    grouping: Grouping, noise: Noise, name: str, values: Mapping[str, Floats], years: Floats, place: int
) -> Redraws:
    """How the marker ``name``, which is at ``place``, is drawn anew."""
    value, prior = values[name], grouping.priors.get(name)
    behind = years if noise.kind == "poisson" else events_behind(noise, values, years)
    if prior is None:
        return _as_seen(noise, value, behind, place)
    following = _following(noise, behind, years, grouping.window_days / YEAR)
    return _predicted(noise, value, behind, following, prior, place)


def _as_seen(noise: Noise, value: Floats, behind: Floats, place: int) -> Redraws:
    """As if what was seen were the true rate; ``behind``: years or events."""
    known, once = np.where(np.isnan(value), np.nan, 1.0), np.ones_like(behind)
    if noise.kind == "poisson":
        return _of_variables(_poisson, [value * behind], known, behind, place)
    if noise.kind == "gamma":
        return _of_variables(_gamma, [np.minimum(behind, _LARGEST_GAMMA)], value, once, place)
    terms = np.minimum(behind, _LARGEST_BINOMIAL)
    return _of_variables(_binomial, [terms, np.clip(value, 0, 1)], known, once, place)


def _following(noise: Noise, behind: Floats, years: Floats, next_years: float) -> Floats:
    """(tenants,) the years, or the events at the pace that was seen, of the next period."""
    if noise.kind == "poisson":
        return np.full_like(years, next_years)
    return np.maximum(np.rint(behind / years * next_years), 1)


def _predicted(noise: Noise, value: Floats, behind: Floats, following: Floats, prior: Prior, place: int) -> Redraws:
    """From what is known of the tenant after ``value`` was seen."""
    known, once = np.where(np.isnan(value), np.nan, 1.0), np.ones_like(behind)
    seen = np.maximum(np.nan_to_num(value), 0)
    # As many events, hours or hits as all tenants would have had in the time or the events that the prior weighs.
    expected = prior.strength * prior.mean
    if noise.kind == "poisson":
        shape, scale = expected + seen * behind, following / (prior.strength + behind)
        return _of_variables(_negative_binomial, [shape, scale], known, following, place)
    if noise.kind == "gamma":
        behind, following = np.minimum(behind, _LARGEST_GAMMA), np.minimum(following, _LARGEST_GAMMA)
        hours = (expected + seen * behind) * known
        return _of_variables(_gamma_ratio, [following, prior.strength + 1 + behind], hours, once, place)
    behind, following = np.minimum(behind, _LARGEST_BINOMIAL), np.minimum(following, _LARGEST_BINOMIAL)
    hits = np.clip(seen, 0, 1) * behind
    misses = prior.strength - expected + behind - hits
    return _of_variables(_beta_binomial, [following, expected + hits, misses], known, once, place)


def _of_variables(
    of: Callable[..., Floats], parameters: Sequence[Floats], times: Floats, over: Floats, place: int
) -> Redraws:
    given = np.nan_to_num(np.column_stack(parameters))
    return Redraws(of, given, times, over, _order(place), partial(_drawn, of, place))


@lru_cache(maxsize=8_192)
def _drawn(of: Callable[..., Floats], place: int, *parameters: float) -> Single:
    """Quantiles in the order of a marker. At most 32 MiB of them are kept."""
    return of(*parameters)[_order(place)].astype(np.float32)


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


@lru_cache(maxsize=2_048)
def _negative_binomial(shape: float, scale: float) -> Floats:
    """Poisson counts whose mean has a gamma distribution."""
    mean = shape * scale
    deviation = np.sqrt(mean * (1 + scale))
    if mean > _LARGEST_POISSON:
        return np.rint(np.maximum(mean + deviation * special.ndtri(_POINTS), 0))  # type: ignore[no-any-return]
    # The tail is at most exponential: P(more than k) falls by scale / (1 + scale) with each further event.
    support = np.arange(int(mean + 10 * deviation + 10 * (1 + scale)) + 20)
    return np.searchsorted(special.betainc(shape, support + 1, 1 / (1 + scale)), _POINTS).astype(np.float64)


@lru_cache(maxsize=2_048)
def _gamma_ratio(terms: float, shape: float) -> Floats:
    """A mean of ``terms`` waiting times, whose own mean is the inverse of a gamma variable."""
    odds = special.betaincinv(terms, shape, _POINTS)
    return odds / (1 - odds) / terms  # type: ignore[no-any-return]


@lru_cache(maxsize=2_048)
def _beta_binomial(terms: float, hits: float, misses: float) -> Floats:
    """Of the share, not the number; the rate itself has a beta distribution."""
    hits, misses = max(hits, _LEAST_WEIGHT), max(misses, _LEAST_WEIGHT)
    support = np.arange(int(terms) + 1)
    logarithm = (
        -special.betaln(support + 1, terms - support + 1)
        - np.log(terms + 1)
        + special.betaln(support + hits, terms - support + misses)
        - special.betaln(hits, misses)
    )
    return np.searchsorted(np.exp(logarithm).cumsum(), _POINTS) / terms
