"""Whether probabilities come true: the expected calibration error without its bias, and its interval.

The mean distance of tenths from what comes true is never 0, even if every probability is right: chance moves each tenth
a little, and distances do not cancel. With 60 rows it is 0.06 to 0.13 for a model without error. So the question is
turned round: how large must the error be for a distance as large as the one measured to be usual, or just possible?

What is supposed: the errors of the tenths are in proportion to those measured, or to their standard errors where these
are larger; each tenth's distance is that of a normal variable (its folded distribution); and the mean distance follows
a gamma distribution of the same mean and variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import Bounds

BINS = 10
_BISECTIONS = 30
_LEAST_VARIANCE = 1e-9


def tenths(probabilities: Floats) -> NDArray[np.intp]:
    """(rows,) the tenth that each probability lies in, 0 to 9."""
    return np.minimum((probabilities * BINS).astype(np.intp), BINS - 1)


def calibration_error(confirmed: NDArray[np.bool_], probabilities: Floats) -> tuple[float, Bounds]:
    """The error, 0 when chance explains the distance, and its 95% interval.

    Args:
        confirmed: (rows,) whether the event came true.
        probabilities: (rows,) its probability.
    """
    bins = _Tenths.of(confirmed, probabilities)

    def error_where(excess: Callable[[float, float, float], float]) -> float:
        """The error at which ``excess``, of the mean and the variance of the distance there, is no more positive."""
        low, high = 0.0, bins.largest_scale
        if excess(*bins.distance(low)) <= 0:
            return 0.0
        if excess(*bins.distance(high)) <= 0:
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                low, high = (middle, high) if excess(*bins.distance(middle)) > 0 else (low, middle)
        return bins.distance(high)[2]

    def likelihood(mean: float, variance: float) -> float:
        """How probable a distance is that is at most as large as the one measured."""
        return float(special.gammainc(mean**2 / variance, bins.measured * mean / variance))

    value = error_where(lambda mean, _variance, _error: bins.measured - mean)
    low = error_where(lambda mean, variance, _error: likelihood(mean, variance) - 0.975)
    high = error_where(lambda mean, variance, _error: likelihood(mean, variance) - 0.025)
    return value, (min(low, value), max(high, value))


@dataclass(frozen=True)
class _Tenths:
    """The tenths that are not empty.

    Attributes:
        rows: how many each has.
        told: the mean probability.
        measured: the mean distance, over rows.
        error: what the true share is supposed to exceed the mean probability by; ``distance`` scales it.
        most: the scale from which on the true share is 0 or 1.
    """

    rows: Floats
    told: Floats
    measured: float
    error: Floats
    most: Floats

    @classmethod
    def of(cls, confirmed: NDArray[np.bool_], probabilities: Floats) -> _Tenths:
        tenth = tenths(probabilities)
        rows = np.bincount(tenth, minlength=BINS).astype(np.float64)
        known = rows > 0
        came_true, told = (
            np.bincount(tenth, values, minlength=BINS)[known] / rows[known] for values in (confirmed, probabilities)
        )
        rows = rows[known]
        excess = came_true - told
        chance = np.maximum(told * (1 - told), _LEAST_VARIANCE) / rows
        size = np.maximum(np.abs(excess), np.sqrt(chance))
        # Where chance explains the excess, either side is possible, and most where there is most room.
        is_low = np.where(np.abs(excess) < size, told > 0.5, excess < 0)
        most = np.where(is_low, told, 1 - told) / size
        return cls(rows, told, float(rows @ np.abs(excess) / rows.sum()), np.where(is_low, -size, size), most)

    @property
    def largest_scale(self) -> float:
        """From here on every true share is 0 or 1."""
        return float(self.most.max())

    def distance(self, scale: float) -> tuple[float, float, float]:
        """Mean and variance of the distance that would be measured, and the error itself, at a scale of the error."""
        error = np.minimum(scale, self.most) * self.error
        # A further row that is as told, so that no tenth is certain.
        share = (self.rows * (self.told + error) + self.told) / (self.rows + 1)
        spread = np.sqrt(np.maximum(share * (1 - share), _LEAST_VARIANCE) / self.rows)
        ratio = error / spread
        mean = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + error * (2 * special.ndtr(ratio) - 1)
        variance = error**2 + spread**2 - mean**2
        weight = self.rows / self.rows.sum()
        total = float(weight @ np.abs(error))
        # Other rows would also be spread differently over the tenths.
        between = float(weight @ error**2 - total**2) / float(self.rows.sum())
        return float(weight @ mean), max(float(weight**2 @ variance) + between, 1e-300), total
