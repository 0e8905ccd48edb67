"""Whether the level of a feature has moved since the release before, which way and how far, and in which portfolios.

The levels of counts and hours are compared by the ratio of their means, those of other numbers by the difference. What
is told has both size and certainty: the whole interval must lie beyond what counts as a change, at a level that is
corrected for everything that is looked at (Bonferroni). Most tenants are in both releases. They are treated as if they
were others, which only makes intervals wider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tenant_experience.data_quality._stability import SIGNIFICANCE
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.transforms import Transform

# What counts as a change: a tenth more or less; or a fifth of a standard deviation, a small effect (Cohen, 1988).
RATIO, DEVIATIONS = 1.1, 0.2
# A portfolio with fewer tenants in one of the releases is not looked at by itself.
LEAST_TENANTS = 30
_NAMED = 20
# Of each release's values, so that one broken clock does not decide, and all values times a factor give that factor.
_OUTLIERS = (0.01, 0.99)
Measure = Literal["ratio", "difference"]


class Column(NamedTuple):
    """A feature in one release.

    Attributes:
        values: shape (tenants,); NaN where there is no value.
        portfolios: the place of each tenant's portfolio in a list of names, shape (tenants,).
    """

    values: Floats
    portfolios: NDArray[np.intp]


@dataclass(frozen=True)
class LevelChange:
    """How far the mean has moved.

    Attributes:
        size: the ratio now / then, or the difference now - then.
        interval: of the size, at the corrected level.
        moved: whether the whole interval lies beyond what counts as a change.
    """

    size: float
    interval: tuple[float, float]
    moved: bool


@dataclass(frozen=True)
class MovedPortfolio:
    """A portfolio whose level has moved."""

    name: str
    change: LevelChange


@dataclass(frozen=True)
class LevelShift:
    """The level of one feature in two releases.

    Attributes:
        measure: what the sizes are.
        means: then and now, without outliers.
        medians: then and now.
        change: over all tenants.
        comparisons: how many changes were looked at in all features, for which the level of intervals is corrected.
        portfolios: how many have at least thirty tenants with a value in both releases; 0 when only one has.
        alike: in how many of them the mean moved as the mean of all tenants did, by what counts as a change.
        moved: how many of them have moved with certainty.
        farthest: up to twenty of these, those that moved farthest first.
    """

    measure: Measure
    means: tuple[float, float]
    medians: tuple[float, float]
    change: LevelChange
    comparisons: int
    portfolios: int
    alike: int
    moved: int
    farthest: list[MovedPortfolio]


def level_shift(
    then: Column, now: Column, names: Sequence[str], transform: Transform, comparisons: int
) -> LevelShift | None:
    """Compares the level of a feature.

    Args:
        then: of the release before.
        now: of this release.
        names: the portfolios of both.
        transform: of the feature; ``log1p`` means that values are not negative and that factors matter.
        comparisons: the features that are looked at.

    Returns:
        None when a release has fewer than thirty tenants with a value, or when nearly all values were 0.
    """
    then, now = _known(then), _known(now)
    if min(then.values.size, now.values.size) < LEAST_TENANTS:
        return None
    counted = [np.bincount(side.portfolios, minlength=len(names)) for side in (then, now)]
    large = np.flatnonzero(np.minimum(*counted) >= LEAST_TENANTS)
    large = large if large.size > 1 else large[:0]
    comparisons *= 1 + large.size
    clipped = [np.clip(side.values, *np.quantile(side.values, _OUTLIERS)) for side in (then, now)]
    whole_then, whole_now = (_means(values, np.zeros(values.size, dtype=np.intp), 1) for values in clipped)
    each_then, each_now = (
        _means(values, side.portfolios, len(names)).take(large)
        for values, side in zip(clipped, (then, now), strict=True)
    )
    measure: Measure = "ratio" if transform == "log1p" else "difference"
    margin = RATIO if measure == "ratio" else DEVIATIONS * float(clipped[0].std())
    (whole,) = _changes(whole_then, whole_now, measure, margin, comparisons)
    if not np.isfinite(whole.size):
        return None
    changes = _changes(each_then, each_now, measure, margin, comparisons)
    named = zip([names[place] for place in large.tolist()], changes, strict=True)
    moved = [MovedPortfolio(name, each) for name, each in named if each.moved]
    return LevelShift(
        measure=measure,
        means=(float(whole_then.mean[0]), float(whole_now.mean[0])),
        medians=(float(np.median(then.values)), float(np.median(now.values))),
        change=whole,
        comparisons=comparisons,
        portfolios=int(large.size),
        alike=sum(_direction(each.size, measure, margin) == _sign(whole.size, measure) for each in changes),
        moved=len(moved),
        farthest=sorted(moved, key=lambda portfolio: -_distance(portfolio.change.size, measure))[:_NAMED],
    )


class _Means(NamedTuple):
    """Of several groups of tenants: how many they are, their mean, and the variance of that mean, shape (groups,)."""

    number: NDArray[np.intp]
    mean: Floats
    variance: Floats

    def take(self, places: NDArray[np.intp]) -> _Means:
        return _Means(self.number[places], self.mean[places], self.variance[places])


def _known(column: Column) -> Column:
    """Without tenants without a value; in the order of the values, so that sums do not depend on the rows' order."""
    known = ~np.isnan(column.values)
    values, portfolios = column.values[known], column.portfolios[known]
    order = np.argsort(values)
    return Column(values[order], portfolios[order])


def _means(values: Floats, groups: NDArray[np.intp], number: int) -> _Means:
    tenants = np.bincount(groups, minlength=number)
    mean = np.bincount(groups, values, minlength=number) / np.maximum(tenants, 1)
    squares = np.bincount(groups, (values - mean[groups]) ** 2, minlength=number)
    return _Means(tenants, mean, squares / np.maximum(tenants - 1, 1) / np.maximum(tenants, 1))


def _changes(then: _Means, now: _Means, measure: Measure, margin: float, comparisons: int) -> list[LevelChange]:
    """The change of each group; its size is not finite where nothing can be said, and then it has not moved."""
    freedom = np.minimum(then.number, now.number) - 1
    reach = special.stdtrit(freedom, 1 - SIGNIFICANCE / comparisons / 2)
    if measure == "difference":
        size = now.mean - then.mean
        half = reach * np.sqrt(then.variance + now.variance)
        low, high = size - half, size + half
        moved = (low > margin) | (high < -margin)
    else:
        size, low, high = _ratio(then, now, reach)
        moved = (low > margin) | (high < 1 / margin)
    bounds = zip(size.tolist(), low.tolist(), high.tolist(), moved.tolist(), strict=True)
    return [LevelChange(each, (least, most), certain) for each, least, most, certain in bounds]


def _ratio(then: _Means, now: _Means, reach: Floats) -> tuple[Floats, Floats, Floats]:
    """The ratio of two means and its interval by Fieller (1954); not a number where the first mean may be 0."""
    least = then.mean**2 - reach**2 * then.variance
    usable = np.where(least > 0, least, np.nan)
    product = then.mean * now.mean
    root = np.sqrt(np.maximum(product**2 - usable * (now.mean**2 - reach**2 * now.variance), 0))
    size = now.mean / np.where(least > 0, then.mean, np.nan)
    return size, np.maximum((product - root) / usable, 0.0), (product + root) / usable


def _sign(size: float, measure: Measure) -> int:
    return 1 if size > (1 if measure == "ratio" else 0) else -1


def _direction(size: float, measure: Measure, margin: float) -> int:
    """+1 or -1 when a size is beyond what counts as a change; else 0."""
    if measure == "ratio":
        return int(size > margin) - int(size < 1 / margin)
    return int(size > margin) - int(size < -margin)


def _distance(size: float, measure: Measure) -> float:
    if measure == "difference":
        return abs(size)
    return max(size, 1 / size) if size > 0 else np.inf
