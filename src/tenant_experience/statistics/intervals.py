"""95% intervals: of a share, of an area under the ROC curve, and of anything else by resampling the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tenant_experience.statistics.arrays import Floats

Z95 = 1.959963984540054
SEED = 1
_PERCENTILES = (2.5, 97.5)
# The most numbers in memory at once.
_CELLS = 2_000_000


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """The 95% interval of a share, by Wilson (1927): it stays within 0..1 and holds for few rows.

    Args:
        count: rows that have the property.
        total: rows in all, at least 1.
    """
    share, z2 = count / total, Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    # Exact at the ends, where rounding would leave 1e-17.
    return (0.0 if count == 0 else centre - half), (1.0 if count == total else centre + half)


def auc_interval(area: float, positives: int, negatives: int) -> tuple[float, float]:
    """The 95% interval of an area under the ROC curve, by Hanley and McNeil (1982), within 0..1.

    Args:
        area: the area, ties counted half.
        positives: rows of the one kind, at least 1.
        negatives: rows of the other, at least 1.
    """
    both_positive, both_negative = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (
        area * (1 - area) + (positives - 1) * (both_positive - area**2) + (negatives - 1) * (both_negative - area**2)
    )
    half = Z95 * math.sqrt(max(variance, 0.0) / (positives * negatives))
    return max(area - half, 0.0), min(area + half, 1.0)


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
