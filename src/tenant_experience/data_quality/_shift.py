"""How far one feature has moved from one release to the next: PSI, Kolmogorov-Smirnov, and both distributions.

Every function takes one column of each release, shape (tenants,), NaN where there is no value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.transforms import Transform, transformed

# Of Siddiqi, "Credit Risk Scorecards" (2006): below the first nothing has changed, above the second a lot has.
SLIGHT_SHIFT, LARGE_SHIFT = 0.1, 0.25
_DECILES = np.arange(0.1, 0.95, 0.1)
_BARS = 24


def population_stability_index(then: Floats, now: Floats) -> float:
    """PSI = sum over bins of (now - then) ln(now / then), with each release's share of tenants in the bin.

    Bins end at the deciles of ``then`` (fewer when deciles coincide); tenants without a value are a bin of their own.
    Half a tenant is added to every bin, so that an empty one gives a finite figure. The formula is that of Siddiqi,
    "Credit Risk Scorecards" (2006): Kullback and Leibler's divergence, made symmetric.

    Args:
        then: at least one tenant.
        now: at least one tenant.
    """
    known = then[~np.isnan(then)]
    ends = np.unique(np.quantile(known, _DECILES)) if known.size else np.array([])
    return stability_index(_counts(then, ends), _counts(now, ends))


def stability_index(then: Floats, now: Floats) -> float:
    """The PSI of two releases' numbers of tenants in the same bins, shape (bins,); see above for its formula."""
    before, after = ((counts + 0.5) / (counts + 0.5).sum() for counts in (then, now))
    return float(((after - before) * np.log(after / before)).sum())


def _counts(column: Floats, ends: Floats) -> Floats:
    known = column[~np.isnan(column)]
    counts = np.bincount(np.searchsorted(ends, known, side="left"), minlength=ends.size + 2).astype(np.float64)
    counts[-1] = column.size - known.size
    return counts


def kolmogorov_smirnov(then: Floats, now: Floats) -> float | None:
    """The exact two-sample statistic: the largest distance of the distribution functions of the values there are.

    Without a p-value: among thousands of tenants every difference is significant, so its size is what counts.

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


def shift(then: Floats, now: Floats) -> dict[str, Any]:
    """What ``data_quality.json`` says of one feature: psi, ks, and the share without a value then and its change."""
    null_then, null_now = float(np.isnan(then).mean()), float(np.isnan(now).mean())
    return {
        "psi": population_stability_index(then, now),
        "ks": kolmogorov_smirnov(then, now),
        "null_share_then": null_then,
        "null_share_change": null_now - null_then,
    }


def histogram(now: Floats, then: Floats | None, transform: Transform) -> dict[str, Any] | None:
    """Shares of tenants with a value, in bars of equal width of the transformed feature.

    The outermost bars hold everything beyond the 1% and 99% quantiles of both releases.

    Returns:
        edges (of the raw values), now, and then (None without a release to compare); None when nobody has a value.
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
    return {"edges": raw.tolist(), "now": bars[0].tolist(), "then": bars[1].tolist() if then is not None else None}
