"""How far one feature has moved from one release to the next: PSI, the level, and both distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenant_experience.data_quality._level import Column, LevelShift, level_shift
from tenant_experience.data_quality._stability import Stability, number_stability
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.transforms import Transform, transformed

_BARS = 24


@dataclass(frozen=True)
class NumberShift(Stability):
    """How far a feature that is a number has moved.

    Attributes:
        null_share_then: share of tenants without a value in the earlier release.
        null_share_change: by how much that share has grown.
        level: whether it is higher or lower; None when too little is known.
    """

    null_share_then: float
    null_share_change: float
    level: LevelShift | None


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


def shift(then: Column, now: Column, names: Sequence[str], transform: Transform, comparisons: int) -> NumberShift:
    """How far one feature has moved.

    Args:
        then: of the release before, at least one tenant.
        now: of this release, at least one tenant.
        names: the portfolios of both.
        transform: of the feature.
        comparisons: the columns that are looked at.
    """
    null_then, null_now = (float(np.isnan(side.values).mean()) for side in (then, now))
    return NumberShift(
        **vars(number_stability(then.values, now.values, comparisons)),
        null_share_then=null_then,
        null_share_change=null_now - null_then,
        level=level_shift(then, now, names, transform, comparisons),
    )


def histogram(now: Floats, then: Floats | None, transform: Transform) -> Histogram | None:
    """The distribution in both releases; None when nobody has a value.

    Columns have shape (tenants,), with NaN where there is no value. The outermost bars hold everything beyond the 1%
    and 99% quantiles of both releases.
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
