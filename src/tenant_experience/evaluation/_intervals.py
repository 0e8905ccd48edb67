"""95% intervals by resampling the rows (Efron 1979, percentiles): what another draw of tenants might have said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenant_experience.evaluation._scored_rows import Floats, ScoredRows
from tenant_experience.evaluation._weighted_metrics import weighted_metrics

RESAMPLES = 300
SEED = 1
_PERCENTILES = (2.5, 97.5)
# Numbers in memory at once.
_CELLS = 2_000_000

Metrics = Callable[[Floats], Mapping[str, Floats]]


@dataclass(frozen=True)
class Measured:
    """Metrics by name; None where one cannot be told.

    Attributes:
        metrics: on the rows as they are.
        intervals: [low, high] of each.
    """

    metrics: dict[str, float | None]
    intervals: dict[str, list[float] | None]

    def document(self) -> dict[str, Any]:
        """As it stands in evaluation.json."""
        return {"metrics": self.metrics, "intervals": self.intervals}


def measured(rows: ScoredRows, resamples: int = RESAMPLES) -> Measured:
    """The metrics of some rows; the same rows give the same figures."""
    return measured_with(lambda weights: weighted_metrics(rows, weights), len(rows), resamples)


def measured_with(metrics: Metrics, rows: int, resamples: int = RESAMPLES) -> Measured:
    """Metrics of one's own.

    Args:
        metrics: from weights, (samples, rows), to values by name, (samples,).
        rows: how many there are.
        resamples: how many are drawn.
    """
    values = metrics(np.ones((1, rows)))
    drawn = [metrics(weights) for weights in resampled(rows, resamples)]
    intervals = {}
    for name, value in values.items():
        bounds = interval(np.concatenate([part[name] for part in drawn] or [value]))
        intervals[name] = bounds and _widened(bounds, float(value[0]))
    return Measured({name: told(value[0]) for name, value in values.items()}, intervals)


def resampled(rows: int, resamples: int) -> Iterator[Floats]:
    """Weightings, (samples, rows) at a time: how often each row was drawn, with replacement. Always the same."""
    chance = np.random.default_rng(SEED)
    at_once = max(1, min(resamples, _CELLS // rows))
    for first in range(0, resamples, at_once):
        samples = min(at_once, resamples - first)
        yield np.array(
            [np.bincount(chance.integers(0, rows, rows), minlength=rows) for _ in range(samples)], dtype=np.float64
        )


def interval(values: Floats) -> list[float] | None:
    """[low, high] of resampled values, leaving out those that could not be told; None when none could."""
    known = values[~np.isnan(values)]
    return np.percentile(known, _PERCENTILES).tolist() if len(known) else None


def _widened(bounds: list[float], value: float) -> list[float]:
    """The interval, made to hold the value if it does not: resampling adds to a calibration error."""
    return [min(bounds[0], value), max(bounds[1], value)]


def told(value: float) -> float | None:
    """A figure for a document: None for NaN."""
    return None if np.isnan(value) else float(value)
