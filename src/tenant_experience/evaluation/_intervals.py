"""Metrics with 95% intervals, as documents have them: how much depends on which tenants are in the test part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenant_experience.evaluation._estimates import estimates
from tenant_experience.evaluation.scored_rows import ScoredRows


@dataclass(frozen=True)
class Measured:
    """Metrics by name; None where a metric is undefined.

    Attributes:
        metrics: on the rows as they are.
        intervals: [low, high] of each metric.
    """

    metrics: dict[str, float | None]
    intervals: dict[str, list[float] | None]


def measured(rows: ScoredRows) -> Measured:
    """The metrics of some rows; the same rows give the same figures."""
    found = estimates(rows)
    return Measured(
        {name: finite_or_none(estimate.value) for name, estimate in found.items()},
        {name: list(estimate.bounds) if estimate.bounds else None for name, estimate in found.items()},
    )


def finite_or_none(value: float) -> float | None:
    """A figure for a JSON document: None for NaN."""
    return None if np.isnan(value) else float(value)
