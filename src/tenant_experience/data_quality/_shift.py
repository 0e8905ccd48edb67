"""How far one feature has moved from one release to the next: PSI, Kolmogorov-Smirnov, and both distributions.

Every function takes one column of each release, shape (tenants,), with NaN where there is no value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.transforms import Transform, transformed

# From Siddiqi, "Credit Risk Scorecards" (2006): below the first nothing has changed, above the second a lot has.
SLIGHT_SHIFT, LARGE_SHIFT = 0.1, 0.25
_DECILES = np.arange(0.1, 0.95, 0.1)
_BARS = 24


@dataclass(frozen=True)
class NumberShift:
    """How far a feature that is a number has moved.

    Attributes:
        psi: population stability index.
        ks: Kolmogorov-Smirnov statistic; None when a release has no value at all.
        null_share_then: share of tenants without a value in the earlier release.
        null_share_change: by how much that share has grown.
    """

    psi: float
    ks: float | None
    null_share_then: float
    null_share_change: float


@dataclass(frozen=True)
class Histogram:
    """Shares of the tenants that have a value, in bars of equal width of the transformed feature.

    Attributes:
        edges: of the bars, as raw values.
        now: the share in each bar in this release.
        then: the same in the earlier release; None without one.
    """

    edges: list[float]
    now: list[float]
    then: list[float] | None


def population_stability_index(then: Floats, now: Floats) -> float:
    """PSI = sum over bins of (now - then) ln(now / then), with each release's share of tenants in the bin.

    Bins end at the deciles of ``then`` (fewer when deciles coincide); tenants without a value are a bin of their own.
    Half a tenant is added to every bin, so that an empty bin gives a finite figure. The formula is in Siddiqi, "Credit
    Risk Scorecards" (2006): the divergence of Kullback and Leibler, made symmetric.

    Args:
        then: at least one tenant.
        now: at least one tenant.
    """
    known = then[~np.isnan(then)]
    ends = np.unique(np.quantile(known, _DECILES)) if known.size else np.array([])
    return stability_index(_counts(then, ends), _counts(now, ends))


def stability_index(then: Floats, now: Floats) -> float:
    """The PSI of the numbers of tenants of two releases in the same bins, shape (bins,); the formula is above."""
    before, after = ((counts + 0.5) / (counts + 0.5).sum() for counts in (then, now))
    return float(((after - before) * np.log(after / before)).sum())


def _counts(column: Floats, ends: Floats) -> Floats:
    known = column[~np.isnan(column)]
    counts = np.bincount(np.searchsorted(ends, known, side="left"), minlength=ends.size + 2).astype(np.float64)
    counts[-1] = column.size - known.size
    return counts


def kolmogorov_smirnov(then: Floats, now: Floats) -> float | None:
    """The exact two-sample statistic: the largest distance between the two distribution functions of the known values.

    There is no p-value: among thousands of tenants every difference is significant, so only its size counts.

    Returns:
        0 to 1; None when a release has no value at all.
    """
    before, after = np.sort(then[~np.isnan(then)]), np.sort(now[~np.isnan(now)])
    if not (before.size and after.size):
        return None
    largest = 0.0
    for steps in (before, after):
        distance = (
            np.searchsorted(before, steps, side="right") / before.size
            - np.searchsorted(after, steps, side="right") / after.size
        )
        largest = max(largest, float(np.abs(distance).max()))
    return largest


def shift(then: Floats, now: Floats) -> NumberShift:
    """How far one feature has moved."""
    null_then, null_now = float(np.isnan(then).mean()), float(np.isnan(now).mean())
    psi, distance = population_stability_index(then, now), kolmogorov_smirnov(then, now)
    return NumberShift(psi, distance, null_then, null_now - null_then)


def histogram(now: Floats, then: Floats | None, transform: Transform) -> Histogram | None:
    """The distribution in both releases; None when nobody has a value.

    The outermost bars hold everything beyond the 1% and 99% quantiles of both releases.
    """
    columns = [transformed(column[~np.isnan(column)], transform) for column in (now, then) if column is not None]
    known = [column for column in columns if column.size]
    if not known:
        return None
    low = min(float(np.quantile(column, 0.01)) for column in known)
    high = max(float(np.quantile(column, 0.99)) for column in known)
    edges = np.linspace(low, high, _BARS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    bars = [np.histogram(np.clip(column, edges[0], edges[-1]), edges)[0] / max(column.size, 1) for column in columns]
    raw = np.expm1(edges) if transform == "log1p" else edges
    return Histogram(raw.tolist(), bars[0].tolist(), bars[1].tolist() if then is not None else None)
