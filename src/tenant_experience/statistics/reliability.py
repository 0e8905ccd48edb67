"""Whether probabilities come true: of the tenants with a probability of 0.8, eight in ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import interval, resampled, wilson_interval

BINS = 10
_RESAMPLES = 300


@dataclass(frozen=True)
class Counted:
    """Some rows, how many of them came true, and that share with its 95% interval by Wilson; None without rows."""

    rows: int
    came_true: int
    share: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, true: NDArray[np.bool_]) -> Counted:
        """Counts the rows that came true."""
        if not len(true):
            return cls(0, 0, None, None, None)
        hits = int(true.sum())
        return cls(len(true), hits, hits / len(true), *wilson_interval(hits, len(true)))


def tenths(probabilities: Floats) -> NDArray[np.intp]:
    """(rows,) the tenth that each probability lies in, 0 to 9."""
    return np.minimum((probabilities * BINS).astype(np.intp), BINS - 1)


def calibration_error(probabilities: Floats, true: NDArray[np.bool_]) -> tuple[float, float, float]:
    """The expected calibration error in tenths, with its 95% interval by resampling the rows (percentiles)."""
    members = tenths(probabilities)[:, np.newaxis] == np.arange(BINS)
    excess = members * (true - probabilities)[:, np.newaxis]
    error = float(np.abs(excess.sum(axis=0)).sum() / len(true))
    drawn = [np.abs(weights @ excess).sum(axis=1) / len(true) for weights in resampled(len(true), _RESAMPLES)]
    low, high = interval(np.concatenate(drawn)) or (error, error)
    # Resampling adds to the error, so its interval may lie above it.
    return error, min(low, error), max(high, error)
