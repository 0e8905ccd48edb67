"""Whether probabilities come true: of the tenants with a probability of 0.8, eight in ten."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import interval, resampled

BINS = 10
_RESAMPLES = 300


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
