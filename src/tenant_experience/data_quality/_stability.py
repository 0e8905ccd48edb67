"""The population stability index (PSI) of a column in two releases, and how large chance alone makes it.

PSI = sum over bins of (now - then) ln(now / then), with each release's share of tenants in the bin. The formula is in
Siddiqi, "Credit Risk Scorecards" (2006): the divergence of Kullback and Leibler, made symmetric. Half a tenant is added
to every bin, so that an empty bin gives a finite figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from tenant_experience.statistics.arrays import Floats

# From Siddiqi (2006): below the first nothing has changed, above the second a lot has.
SLIGHT_SHIFT, LARGE_SHIFT = 0.1, 0.25
# A statement about a release is wrong by chance in at most one of twenty releases, all its columns together.
SIGNIFICANCE = 0.05
_DECILES = np.arange(0.1, 0.95, 0.1)
# A value stands for all values within this share of itself. Counts are annualised: a day more or less of exposure moves
# all tenants with the same count at once, and none of them has changed.
_SAME = 0.025


@dataclass(frozen=True)
class Stability:
    """How much two releases differ in one column.

    Attributes:
        psi: population stability index.
        chance: with no change at all, the largest PSI of all columns stays below this in 95% of releases.
    """

    psi: float
    chance: float

    def exceeds(self, limit: float) -> bool:
        """Whether the PSI is above a limit by more than chance explains."""
        return self.psi > limit + self.chance


def number_stability(then: Floats, now: Floats, comparisons: int) -> Stability:
    """The stability of a column of numbers.

    Bins end between values, near the deciles of both releases, which weigh the same however many tenants they have;
    there are fewer bins when deciles coincide. Each value is spread evenly over all values within 2.5% of it, so a
    small change of all values changes the PSI only a little, wherever bins end. Zeros stay zeros. Tenants without a
    value are a bin of their own.

    Args:
        then: shape (tenants,), at least one; NaN where there is no value.
        now: the same of this release.
        comparisons: the columns that are looked at.
    """
    known = [np.sort(column[~np.isnan(column)]) for column in (then, now)]
    ends = _ends(*known)
    before, after = (
        np.append(np.diff([0.0, *(_below(values, end) for end in ends), values.size]), column.size - values.size)
        for values, column in zip(known, (then, now), strict=True)
    )
    return stability(before, after, comparisons)


def stability(then: Floats, now: Floats, comparisons: int) -> Stability:
    """The stability of the numbers of tenants of two releases in the same bins, shape (bins,).

    When nothing has changed, PSI / (1/n + 1/m) has a chi-squared distribution with a degree of freedom less than there
    are bins with a tenant (n and m are the tenants of the releases).
    """
    before, after = ((counts + 0.5) / (counts + 0.5).sum() for counts in (then, now))
    psi = float(((after - before) * np.log(after / before)).sum())
    freedom = int((then + now > 0).sum()) - 1
    if freedom < 1:
        return Stability(psi, 0.0)
    return Stability(psi, float(special.chdtri(freedom, SIGNIFICANCE / comparisons) * (1 / then.sum() + 1 / now.sum())))


def _ends(then: Floats, now: Floats) -> list[float]:
    """Where bins end: half-way from each decile of both releases to the next value that does not count as the same."""
    releases = [values for values in (then, now) if values.size]
    if not releases:
        return []
    values = np.concatenate(releases)
    weights = np.concatenate([np.full(release.size, 1 / release.size) for release in releases])
    order = np.argsort(values, kind="stable")
    values, weights = values[order], np.cumsum(weights[order])
    deciles = values[np.searchsorted(weights, _DECILES * weights[-1])]
    larger = np.searchsorted(values, deciles + 2 * _SAME * np.abs(deciles), side="right")
    return [
        float((decile + values[place]) / 2)
        for decile, place in sorted(set(zip(deciles.tolist(), larger.tolist(), strict=True)))
        if place < values.size
    ]


def _below(values: Floats, end: float) -> float:
    """How many of the sorted values lie below ``end``, each spread over all that count as the same."""
    lowest, highest = values - _SAME * np.abs(values), values + _SAME * np.abs(values)
    whole = np.searchsorted(highest, end, side="right")
    part = slice(whole, np.searchsorted(lowest, end, side="left"))
    return float(whole + ((end - lowest[part]) / (highest[part] - lowest[part])).sum())
