"""95% intervals that hold for few rows and near 0 and 1: of a share, a mean, an area under the ROC curve, a difference.

Decision 0018 says how each was chosen, and ``python -m bench.coverage`` measures how often each holds the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy import special

from tenant_experience.statistics.arrays import Floats

Bounds = tuple[float, float]

Z95 = 1.959963984540054
SEED = 1
_PERCENTILES = (2.5, 97.5)
# The most numbers in memory at once.
_CELLS = 2_000_000
_BISECTIONS = 40


def wilson_interval(count: float, total: float) -> Bounds:
    """The 95% interval of a share, by Wilson (1927): it stays within 0..1 and holds for few rows.

    Args:
        count: rows that have the property.
        total: rows in all; of 0 rows nothing is known. Both may be fractions, of rows that count in part.
    """
    if not total:
        return 0.0, 1.0
    share, z2 = count / total, Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * math.sqrt(max(share * (1 - share), 0.0) / total + z2 / (4 * total**2))
    # Exact at the ends, where rounding would leave 1e-17.
    return (0.0 if count == 0 else centre - half), (1.0 if count == total else centre + half)


def mean_interval(values: Floats) -> Bounds:
    """The 95% interval of a mean, by Hall (1992): a t-interval, corrected for the skewness of the values.

    Losses and errors have long tails, where intervals that are as long to the left as to the right hold too rarely.

    Args:
        values: at least one; of a single value, or of values that are all the same, no spread is known.
    """
    rows, mean = len(values), float(values.mean())
    centred = values - mean
    variance = float((centred**2).mean())
    if rows < 2 or variance <= 1e-300:
        return mean, mean
    skewness = float((centred**3).mean()) / (variance * math.sqrt(variance))
    bend, shift = skewness / (3 * math.sqrt(rows)), skewness / (6 * math.sqrt(rows))
    error = math.sqrt(variance / (rows - 1))

    def straightened(quantile: float) -> float:
        if abs(bend) < 1e-9:
            return quantile
        return (float(np.cbrt(1 + 3 * bend * (quantile - shift))) - 1) / bend

    quantile = float(special.stdtrit(rows - 1, 0.975))
    return mean - error * straightened(quantile), mean - error * straightened(-quantile)


def t_interval(values: Floats) -> Bounds:
    """The 95% interval of a mean of values that lie on both sides of it alike, such as differences."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, mean
    half = float(special.stdtrit(len(values) - 1, 0.975) * values.std(ddof=1)) / math.sqrt(len(values))
    return mean - half, mean + half


def auc_interval(area: float, positives: int, negatives: int, variance: float | None = None) -> Bounds:
    """The 95% interval of an area under the ROC curve: all areas from which the one measured is not too far.

    How far is too far follows from Hanley and McNeil's variance (1982) at the supposed area, not at the one measured,
    with both counts replaced by their mean (Newcombe, 2006, method 5), so that no interval is empty at an area of 1.
    DeLong's variance (1988), where it is known, makes the interval wider or narrower as the rows demand.

    Args:
        area: the area, ties counted half.
        positives: rows of the one kind, at least 1.
        negatives: rows of the other, at least 1.
        variance: DeLong's; None where only the area is known.
    """
    pairs, mean = positives * negatives, (positives + negatives) / 2 - 1

    def supposed(of: float) -> float:
        return of * (1 - of) * (1 + mean * (1 - of) / (2 - of) + mean * of / (1 + of)) / pairs

    scale = 1.0
    fewest = min(positives, negatives)
    if variance is not None and fewest > 1:
        # Few rows, or an area near 1, say little about the variance: then the scale is near 1.
        steady = supposed(1 - 2 / max(fewest, 4)) / 4
        shrunk = (area * pairs + 0.5) / (pairs + 1)
        scale = min(max((variance + steady) / (supposed(shrunk) + steady), 0.25), 4.0)

    def is_near(of: float) -> bool:
        return abs(area - of) <= Z95 * math.sqrt(scale * supposed(of))

    return _last(is_near, area, 0.0), _last(is_near, area, 1.0)


def difference_interval(
    first: float, first_bounds: Bounds, second: float, second_bounds: Bounds, correlation: float
) -> Bounds:
    """The 95% interval of ``second - first`` from those of both (Zou, 2007).

    Args:
        first: a figure.
        first_bounds: its interval.
        second: another.
        second_bounds: its interval.
        correlation: of both figures, because the same rows gave them.
    """
    difference = second - first
    below, above = second - second_bounds[0], first_bounds[1] - first
    other_below, other_above = first - first_bounds[0], second_bounds[1] - second
    low = math.sqrt(max(below**2 + above**2 - 2 * correlation * below * above, 0.0))
    high = math.sqrt(max(other_below**2 + other_above**2 - 2 * correlation * other_below * other_above, 0.0))
    return difference - low, difference + high


def _last(holds: Callable[[float], bool], start: float, end: float) -> float:
    """The last place between start and end where something holds that holds at the start."""
    if holds(end):
        return end
    for _ in range(_BISECTIONS):
        middle = (start + end) / 2
        if holds(middle):
            start = middle
        else:
            end = middle
    return start


def resampled(rows: int, resamples: int) -> Iterator[Floats]:
    """Weightings, (samples, rows) at a time: how often each row was drawn with replacement; always the same."""
    chance = np.random.default_rng(SEED)
    at_once = max(1, min(resamples, _CELLS // rows))
    for first in range(0, resamples, at_once):
        samples = min(at_once, resamples - first)
        yield np.array(
            [np.bincount(chance.integers(0, rows, rows), minlength=rows) for _ in range(samples)], dtype=np.float64
        )


def interval(values: Floats) -> list[float] | None:
    """[low, high] of resampled values, ignoring NaN; None when all values are NaN."""
    known = values[~np.isnan(values)]
    return np.percentile(known, _PERCENTILES).tolist() if len(known) else None
