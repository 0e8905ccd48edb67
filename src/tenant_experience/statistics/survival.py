"""Times until an event that not everybody has seen yet: censored times.

With a location ``m`` (the margin of a model) and a scale ``s``, the accelerated failure time model says that
``log(time) = m + s * z``, where ``z`` follows one of three distributions, as in XGBoost's ``survival:aft``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tenant_experience.statistics.arrays import Floats

Distribution = Literal["normal", "logistic", "extreme"]
Flags = NDArray[np.bool_]
# Points at which a survival curve is looked at to find its mean.
_POINTS = 257
# A time of 0 days has no logarithm; half a day is as good a guess where times are whole days.
LEAST_DAYS = 0.5
_SCALES = (-4.0, 4.0)
_LEAST = 1e-300


def shares_within(margins: Floats, days: float, distribution: Distribution, scale: float) -> Floats:
    """(rows,) the probability that the event happens in less than ``days``."""
    return _cumulative((np.log(days) - margins) / scale, distribution)


def expected_within(margins: Floats, days: float, distribution: Distribution, scale: float) -> Floats:
    """(rows,) the mean of the times, each counted up to ``days``: the area under the survival curve."""
    points = np.linspace(0, days, _POINTS)
    area = np.zeros(len(margins))
    # Simpson's rule, one point after the other: the whole grid of many rows would not fit into memory.
    weights = np.where(np.arange(_POINTS) % 2 == 1, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    for point, weight in zip(points.tolist(), weights.tolist(), strict=True):
        survival = 1.0 if point == 0 else 1 - shares_within(margins, point, distribution, scale)
        area += weight * survival
    return area * (days / (_POINTS - 1)) / 3


def fit_scale(margins: Floats, times: Floats, censored: Flags, distribution: Distribution) -> float:
    """The scale under which the times are likeliest.

    Args:
        margins: (rows,) of a model that did not see the rows.
        times: (rows,) above 0.
        censored: (rows,) whether the event had not happened at that time.
        distribution: of the logarithms.
    """
    from scipy.optimize import minimize_scalar

    distance = np.log(times) - margins

    def cost(logarithm: float) -> float:
        z = distance / np.exp(logarithm)
        seen = _log_density(z[~censored], distribution) - logarithm
        unseen = np.log(np.maximum(1 - _cumulative(z[censored], distribution), _LEAST))
        return -float(seen.sum() + unseen.sum())

    return float(np.exp(minimize_scalar(cost, bounds=_SCALES, method="bounded").x))


def kaplan_meier(times: Floats, censored: Flags, at: float) -> float:
    """The share that has seen no event before ``at``, by Kaplan and Meier (1958)."""
    moments, place, at_risk = np.unique(times, return_inverse=True, return_counts=True)
    events = np.bincount(place, weights=~censored, minlength=len(moments))
    left = len(times) - np.concatenate([[0], np.cumsum(at_risk)[:-1]])
    before = moments < at
    return float(np.prod(1 - events[before] / left[before]))


def concordance(times: Floats, censored: Flags, predicted: Floats) -> tuple[float, Floats]:
    """Harrell's C-index: of pairs of which it is known whose event was first, the share predicted in that order.

    Ties of predictions count half; two events at the same time are no pair; at the same time, an event is before a
    censored time.

    Args:
        times: (rows,).
        censored: (rows,) whether the event had not happened at that time.
        predicted: (rows,) times, or anything that rises with them.

    Returns:
        The index, NaN without pairs; and (rows,) its influence: how much it would move if the row counted more, times
        the number of rows.
    """
    pairs, agreeing = _pairs(times, censored, predicted)
    total = float(pairs.sum()) / 2
    if not total:
        return float("nan"), np.zeros(len(times))
    index = float(agreeing.sum()) / 2 / total
    return index, len(times) * (agreeing - index * pairs) / total


def _pairs(times: Floats, censored: Flags, predicted: Floats) -> tuple[Floats, Floats]:
    """(rows,) of how many pairs a row is one, and in how many the order is predicted; ties count half.

    Ranks of times are compared bit by bit: two rows are a pair at the highest bit in which their ranks differ, where
    the one without it comes first. At each bit, rows that agree in all higher bits are counted in order of prediction.
    """
    _, rank = np.unique(np.column_stack([times, censored]), axis=0, return_inverse=True)
    rank = rank.reshape(-1)
    by_prediction = np.argsort(predicted, kind="stable")
    pairs, agreeing = np.zeros(len(times)), np.zeros(len(times))
    for bit in range(int(rank.max(initial=0)).bit_length()):
        group = rank >> (bit + 1)
        order = by_prediction[np.argsort(group[by_prediction], kind="stable")]
        later = (rank[order] >> bit & 1).astype(bool)
        first = ~later & ~censored[order]
        ends = _ends(group[order])
        ties = _ends(group[order], predicted[order])
        late, early = (_Counted.of(flags, ends, ties) for flags in (later, first))
        pairs[order] += np.where(first, late.all, 0) + np.where(later, early.all, 0)
        agreeing[order] += np.where(first, late.all - late.below - late.equal / 2, 0)
        agreeing[order] += np.where(later, early.below + early.equal / 2, 0)
    return pairs, agreeing


class _Counted:
    """(rows,) how many flags are in a row's group: all, those before its tie, and those of its tie."""

    def __init__(self, everyone: Floats, below: Floats, equal: Floats) -> None:
        self.all, self.below, self.equal = everyone, below, equal

    @classmethod
    def of(cls, flags: Flags, group: tuple[NDArray[np.intp], ...], tie: tuple[NDArray[np.intp], ...]) -> _Counted:
        summed = np.concatenate([[0], np.cumsum(flags)]).astype(np.float64)
        start = summed[group[0]]
        return cls(summed[group[1]] - start, summed[tie[0]] - start, summed[tie[1]] - summed[tie[0]])


def _ends(*columns: NDArray[np.generic]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(rows,) where the run of equal values that a row is in begins, and where the next one does."""
    rows = len(columns[0])
    changes = np.zeros(rows, dtype=bool)
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    starts = np.concatenate([[0], np.flatnonzero(changes)])
    run = np.cumsum(changes)
    return starts[run], np.append(starts[1:], rows)[run]


def _cumulative(z: Floats, distribution: Distribution) -> Floats:
    if distribution == "normal":
        return np.asarray(special.ndtr(z))
    if distribution == "logistic":
        return np.asarray(special.expit(z))
    with np.errstate(over="ignore"):
        return np.asarray(-np.expm1(-np.exp(z)))


def _log_density(z: Floats, distribution: Distribution) -> Floats:
    if distribution == "normal":
        return np.asarray(-(z**2) / 2 - np.log(2 * np.pi) / 2)
    if distribution == "logistic":
        return np.asarray(-z - 2 * np.logaddexp(0, -z))
    with np.errstate(over="ignore"):
        return np.asarray(z - np.exp(z))
