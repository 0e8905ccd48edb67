"""Every metric with its 95% interval, each by the way that holds for it.

Beside each metric stands its influence: how much each row moves it. The variance of a metric, and the correlation of
two models' metrics on the same rows, follow from it, so nothing is drawn at random.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._ranking import auc_influence, precision_influence
from tenant_experience.evaluation._weighted_metrics import SMALLEST, weighted_metrics
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import (
    Bounds,
    auc_interval,
    mean_interval,
    t_interval,
    wilson_interval,
)
from tenant_experience.statistics.reliability import calibration_error
from tenant_experience.statistics.survival import concordance

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A metric.

    Attributes:
        value: on these rows; NaN where it is undefined.
        bounds: its 95% interval; None where the metric is undefined.
        influence: (rows,) how much the metric would move if the row counted more, times the number of rows.
    """

    value: float
    bounds: Bounds | None
    influence: Floats


def estimates(rows: ScoredRows) -> dict[str, Estimate]:
    """Every metric of the rows' task, by name, see ``weighted_metrics``.

    Beside these, calibration_error of a classification, and concordance of the days until an event.
    """
    values = {name: float(value[0]) for name, value in weighted_metrics(rows, np.ones((1, len(rows)))).items()}
    found = dict(_regression(rows, values) if rows.task == "regression" else _classification(rows, values))
    undefined = Estimate(np.nan, None, np.zeros(len(rows)))
    return {name: undefined if np.isnan(estimate.value) else estimate for name, estimate in found.items()}


def _classification(rows: ScoredRows, values: dict[str, float]) -> Iterator[tuple[str, Estimate]]:
    outputs = rows.outputs.reshape(len(rows), -1)
    classes = np.arange(outputs.shape[1]) if rows.task == "multiclass" else np.array([1])
    truth = rows.labels[:, np.newaxis] == classes
    answers = rows.answers[:, np.newaxis] == classes
    columns = range(len(classes))
    yield "roc_auc", _combined(values["roc_auc"], [roc_auc(truth[:, k], outputs[:, k]) for k in columns])
    yield "pr_auc", _combined(values["pr_auc"], [_pr_auc(truth[:, k], outputs[:, k]) for k in columns])
    likelihood = outputs[truth] if rows.task == "multiclass" else np.where(truth, outputs, 1 - outputs)[:, 0]
    yield "log_loss", _mean(-np.log(np.clip(likelihood, SMALLEST, 1)))
    yield "brier", _mean(((outputs - truth) ** 2).sum(axis=1))
    yield "f1", _combined(values["f1"], [_f1(truth[:, k], answers[:, k]) for k in columns])
    yield "precision", _combined(values["precision"], [_share(truth[:, k], answers[:, k]) for k in columns])
    yield "recall", _combined(values["recall"], [_share(answers[:, k], truth[:, k]) for k in columns])
    yield "accuracy", _share(rows.answers == rows.labels, np.ones(len(rows), dtype=np.bool_))
    value, bounds = calibration_error(rows.confirmed, rows.confidence)
    yield "calibration_error", Estimate(value, bounds, np.zeros(len(rows)))


def _regression(rows: ScoredRows, values: dict[str, float]) -> Iterator[tuple[str, Estimate]]:
    if rows.horizon is not None:
        yield "concordance", _concordance(rows, rows.horizon)
    error = rows.numbers - rows.labels
    squared, rmse = _mean(error**2), values["rmse"]
    low, high = squared.bounds or (0.0, 0.0)
    yield "rmse", Estimate(rmse, (math.sqrt(low), math.sqrt(high)), squared.influence / max(2 * rmse, SMALLEST))
    yield "mae", _mean(np.abs(error))
    yield "r2", _explained(values["r2"], error, rows.labels)


def _concordance(rows: ScoredRows, horizon: float) -> Estimate:
    """Harrell's C-index of what is known within the window; its interval as that of an area under the ROC curve."""
    censored = rows.labels >= horizon
    value, influence = concordance(rows.labels, censored, rows.outputs)
    events = int((~censored).sum())
    if np.isnan(value):
        return Estimate(np.nan, None, influence)
    variance = float((influence**2).sum()) / len(rows) / max(len(rows) - 1, 1)
    return Estimate(value, auc_interval(value, events, max(len(rows) - 1, 1), variance), influence)


def _mean(losses: Floats) -> Estimate:
    """Of values that are never negative."""
    low, high = mean_interval(losses)
    return Estimate(float(losses.mean()), (max(low, 0.0), high), losses - losses.mean())


def _share(flags: Flags, among: Flags) -> Estimate:
    """The share of the rows ``among`` that have the flag; 0, and anything is possible, when there are none."""
    count, total = int((flags & among).sum()), int(among.sum())
    value = count / total if total else 0.0
    return Estimate(value, wilson_interval(count, total), among * (flags - value) * (len(flags) / max(total, 1)))


def _f1(truth: Flags, answers: Flags) -> Estimate:
    """F1 = 2 J / (1 + J), where J is a share: of rows that have the class or the answer, those that have both."""
    jaccard = _share(truth & answers, truth | answers)
    low, high = (2 * share / (1 + share) for share in jaccard.bounds or (0.0, 1.0))
    return Estimate(
        2 * jaccard.value / (1 + jaccard.value), (low, high), jaccard.influence * 2 / (1 + jaccard.value) ** 2
    )


def roc_auc(truth: Flags, outputs: Floats) -> Estimate:
    """The area under the ROC curve."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return Estimate(np.nan, None, np.zeros(len(truth)))
    area, influence = auc_influence(truth, outputs)
    # DeLong's variance, which divides by one less.
    variance = sum(
        float((influence[kind] ** 2).sum()) / len(truth) ** 2 * count / max(count - 1, 1)
        for kind, count in ((truth, positives), (~truth, negatives))
    )
    return Estimate(area, auc_interval(area, positives, negatives, variance), influence)


def _pr_auc(truth: Flags, outputs: Floats) -> Estimate:
    """As Wilson's interval of a share of the positives; so many as would give the variance that the rows show."""
    positives = int(truth.sum())
    if not positives:
        return Estimate(np.nan, None, np.zeros(len(truth)))
    precision, influence = precision_influence(truth, outputs)
    variance = float((influence**2).sum()) / len(truth) ** 2 * positives / max(positives - 1, 1)
    shrunk = (precision * positives + 0.5) / (positives + 1)
    # Few positives, or a precision near 1, say little about the variance: then the scale is near 1.
    steady = 0.25 / positives**2
    scale = (variance + steady) / (shrunk * (1 - shrunk) / positives + steady)
    effective = positives / min(max(scale, 0.25), 4.0)
    return Estimate(precision, wilson_interval(precision * effective, effective), influence)


def _explained(value: float, error: Floats, labels: Floats) -> Estimate:
    """R squared, by the t-interval of the logarithm of the share that is not explained."""
    if np.isnan(value) or value >= 1:
        return Estimate(value, (value, value), np.zeros(len(error)))
    squared, deviation = error**2, (labels - labels.mean()) ** 2
    relative = squared / squared.mean() - deviation / deviation.mean()
    rest, (low, high) = 1 - value, t_interval(relative)
    return Estimate(value, (1 - rest * math.exp(high), 1 - rest * math.exp(low)), -rest * relative)


def _combined(value: float, parts: list[Estimate]) -> Estimate:
    """The mean of a metric over the classes (Zou and Donner, 2008).

    The squared lengths of the parts' intervals add up, as if the classes had rows of their own; then the interval is
    made wider or narrower as the influences demand, which know that the same rows count for several classes.
    """
    if len(parts) == 1:
        return replace(parts[0], value=value)
    influence = np.mean([part.influence for part in parts], axis=0)
    alone = sum(float((part.influence**2).sum()) for part in parts) / len(parts) ** 2
    scale = math.sqrt(float((influence**2).sum()) / alone) if alone > 0 else 1.0
    known = [(part.value, *part.bounds) for part in parts if part.bounds is not None]
    if np.isnan(value) or len(known) < len(parts):
        return Estimate(np.nan, None, influence)
    below = math.sqrt(sum((middle - low) ** 2 for middle, low, _ in known)) / len(known)
    above = math.sqrt(sum((high - middle) ** 2 for middle, _, high in known)) / len(known)
    return Estimate(value, (max(value - scale * below, 0.0), min(value + scale * above, 1.0)), influence)
