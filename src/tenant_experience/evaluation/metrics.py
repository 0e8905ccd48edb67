"""Tables and curves of how well outputs agree with labels. Metrics with intervals are in ``_estimates``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import mean_interval, wilson_interval
from tenant_experience.statistics.reliability import BINS, tenths

Labels = NDArray[np.bool_]
CURVE_POINTS = 200
PREDICTION_BANDS = 10
CANNOT_BE_TOLD = (0.2, 0.8)


@dataclass(frozen=True)
class BinaryConfusion:
    """How many tenants of each label got each answer; positive is the bad group."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @property
    def matrix(self) -> list[list[int]]:
        """A row for each label, a column for each answer, the negative one first."""
        return [[self.true_negative, self.false_positive], [self.false_negative, self.true_positive]]


@dataclass(frozen=True)
class CalibrationBin:
    """A tenth of the probability scale, from ``low_end`` to ``high_end``.

    Attributes:
        low_end: see above; ``from`` in evaluation.json.
        high_end: see above; ``to`` in evaluation.json.
        tenants: how many got such a probability.
        mean_probability: of these.
        share: how many of these are positive, with its 95% interval by Wilson.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    low_end: float
    high_end: float
    tenants: int
    mean_probability: float
    share: float
    low: float
    high: float

    def document(self) -> dict[str, Any]:
        """The row as evaluation.json has it."""
        return _from_to(vars(self))


@dataclass(frozen=True)
class ProbabilityCount:
    """How many tenants have a probability between ``low_end`` and ``high_end``."""

    low_end: float
    high_end: float
    tenants: int


@dataclass(frozen=True)
class AnswerCertainty:
    """For how many tenants the published P(bad) says clearly which group they are in.

    Attributes:
        tenants: how many there are.
        cannot_be_told: how many have a P(bad) between 0.2 and 0.8.
        share: of these among all.
        histogram: tenants by tenths of P(bad).
    """

    tenants: int
    cannot_be_told: int
    share: float
    histogram: list[ProbabilityCount]

    def document(self) -> dict[str, Any]:
        """The figures as evaluation.json has them."""
        return vars(self) | {"histogram": [_from_to(vars(bar)) for bar in self.histogram]}


@dataclass(frozen=True)
class PredictionBand:
    """Rows with similar predictions, from ``low_end`` to ``high_end``.

    Attributes:
        low_end: the smallest prediction; ``from`` in evaluation.json.
        high_end: the largest prediction; ``to`` in evaluation.json.
        tenants: how many there are.
        mean_predicted: the mean prediction.
        mean_true: the mean of the true numbers, with its 95% interval.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    low_end: float
    high_end: float
    tenants: int
    mean_predicted: float
    mean_true: float
    low: float
    high: float

    def document(self) -> dict[str, Any]:
        """The row as evaluation.json has it."""
        return _from_to(vars(self))


def _from_to(figures: dict[str, Any]) -> dict[str, Any]:
    names = {"low_end": "from", "high_end": "to"}
    return {names.get(name, name): value for name, value in figures.items()}


def confusion(labels: Labels, answers: Labels) -> BinaryConfusion:
    """Counts the right and wrong answers."""
    return BinaryConfusion(
        true_positive=int(np.sum(labels & answers)),
        false_positive=int(np.sum(~labels & answers)),
        true_negative=int(np.sum(~labels & ~answers)),
        false_negative=int(np.sum(labels & ~answers)),
    )


def calibration_table(labels: Labels, probabilities: Floats) -> list[CalibrationBin]:
    """A row for each tenth of the probability that is not empty."""
    bins = tenths(probabilities)
    rows = []
    for number in np.unique(bins).tolist():
        members = bins == number
        positive, total = int(labels[members].sum()), int(members.sum())
        low, high = wilson_interval(positive, total)
        rows.append(
            CalibrationBin(
                low_end=number / BINS,
                high_end=(number + 1) / BINS,
                tenants=total,
                mean_probability=float(probabilities[members].mean()),
                share=positive / total,
                low=low,
                high=high,
            )
        )
    return rows


def answer_certainty(probability_bad: Floats) -> AnswerCertainty:
    """Counts the tenants whose P(bad) leaves open which group they are in."""
    low, high = CANNOT_BE_TOLD
    between = int(((probability_bad >= low) & (probability_bad <= high)).sum())
    counts = np.bincount(tenths(probability_bad), minlength=BINS).tolist()
    return AnswerCertainty(
        tenants=len(probability_bad),
        cannot_be_told=between,
        share=between / len(probability_bad),
        histogram=[ProbabilityCount(place / BINS, (place + 1) / BINS, tenants) for place, tenants in enumerate(counts)],
    )


def prediction_bands(labels: Floats, predicted: Floats) -> list[PredictionBand]:
    """Ten bands of the prediction with equally many rows, ascending: what was predicted there, and what was true."""
    bands = []
    for members in np.array_split(np.argsort(predicted, kind="stable"), min(PREDICTION_BANDS, len(predicted))):
        true = labels[members]
        low, high = mean_interval(true)
        bands.append(
            PredictionBand(
                low_end=float(predicted[members[0]]),
                high_end=float(predicted[members[-1]]),
                tenants=len(members),
                mean_predicted=float(predicted[members].mean()),
                mean_true=float(true.mean()),
                low=low,
                high=high,
            )
        )
    return bands


def roc_curve(labels: Labels, probabilities: Floats) -> list[tuple[float, float]]:
    """Points (false positive rate, true positive rate) for a plot."""
    from sklearn import metrics

    false_positive, true_positive, _ = metrics.roc_curve(labels, probabilities)
    return _thinned(false_positive, true_positive)


def precision_recall_curve(labels: Labels, probabilities: Floats) -> list[tuple[float, float]]:
    """Points (recall, precision) for a plot."""
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(labels, probabilities)
    return _thinned(recall[::-1], precision[::-1])


def _thinned(x: NDArray[np.floating], y: NDArray[np.floating]) -> list[tuple[float, float]]:
    """At most CURVE_POINTS points, including the first and the last: more cannot be seen."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return list(zip(x[keep].tolist(), y[keep].tolist(), strict=True))
