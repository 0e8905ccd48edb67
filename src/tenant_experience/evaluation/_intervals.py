"""Metrics with 95% intervals, by resampling the rows (Efron 1979, percentiles): how much depends on the draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tenant_experience.evaluation._weighted_metrics import weighted_metrics
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import interval, resampled

RESAMPLES = 300

Metrics = Callable[[Floats], Mapping[str, Floats]]


@dataclass(frozen=True)
class Measured:
    """Metrics by name; None where a metric is undefined.

    Attributes:
        metrics: on the rows as they are.
        intervals: [low, high] of each metric.
    """

    metrics: dict[str, float | None]
    intervals: dict[str, list[float] | None]


def measured(rows: ScoredRows, resamples: int = RESAMPLES) -> Measured:
    """The metrics of some rows; the same rows give the same figures."""
    return measured_with(lambda weights: weighted_metrics(rows, weights), len(rows), resamples)


def measured_with(metrics: Metrics, rows: int, resamples: int = RESAMPLES) -> Measured:
    """Any metrics, with their intervals.

    Args:
        metrics: from weights, (samples, rows), to values by name, (samples,).
        rows: the number of rows.
        resamples: the number of samples to draw.
    """
    values = metrics(np.ones((1, rows)))
    drawn = [metrics(weights) for weights in resampled(rows, resamples)]
    intervals = {}
    for name, value in values.items():
        bounds = interval(np.concatenate([part[name] for part in drawn] or [value]))
        intervals[name] = bounds and _widened(bounds, float(value[0]))
    return Measured({name: finite_or_none(value[0]) for name, value in values.items()}, intervals)


def _widened(bounds: list[float], value: float) -> list[float]:
    """The interval, extended to the value when it lies outside: resampling increases a calibration error."""
    return [min(bounds[0], value), max(bounds[1], value)]


def finite_or_none(value: float) -> float | None:
    """A figure for a JSON document: None for NaN."""
    return None if np.isnan(value) else float(value)
