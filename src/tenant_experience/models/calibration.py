"""From a model's margins to probabilities that hold: of the tenants with a probability of 0.8, eight in ten.

Two classes: Platt's slope and intercept ("Probabilistic outputs for support vector machines", 1999), with his softened
labels, so that they stay finite where margins part the classes entirely. Several: one slope for all, the inverse of the
temperature of Guo et al. ("On calibration of modern neural networks", 2017). Neither changes any order of rows.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tenant_experience.statistics.arrays import Floats

Margins = NDArray[np.floating]
_log = logging.getLogger("training")
# Bounds of the logarithm of the slope for several classes, and of a probability whose logarithm is taken.
_SLOPES = (-5.0, 5.0)
_LEAST = 1e-15


class Calibration(BaseModel):
    """``sigmoid(slope * margin + intercept)``; of several classes ``softmax(slope * margins)``, without intercept."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    slope: float = Field(default=1.0, gt=0)
    intercept: float = 0.0

    def log_odds(self, margins: Margins) -> Floats:
        """Of the positive class, (rows,), from margins (rows,)."""
        return np.asarray(self.slope * margins.astype(np.float64) + self.intercept)

    def probabilities(self, margins: Margins) -> Floats:
        """Of the positive class, shape (rows,), from margins (rows,); of each class, from margins (rows, classes)."""
        scaled = self.slope * margins.astype(np.float64) + self.intercept
        if scaled.ndim == 1:
            with np.errstate(over="ignore"):
                return np.asarray(1 / (1 + np.exp(-scaled)))
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_calibration(margins: Margins, labels: NDArray[np.floating]) -> Calibration:
    """The calibration that fits the validation part best; none if a higher margin would mean a lower probability.

    Args:
        margins: (rows,) for two classes, (rows, classes) for several.
        labels: (rows,) the number of the class.
    """
    fitted = _platt(margins, labels) if margins.ndim == 1 else _temperature(margins, labels)
    if fitted is None:
        _log.warning("calibration would reverse the order of the rows, so the margins are left as they are")
    return fitted or Calibration()


def loss(outputs: Floats, labels: NDArray[np.floating], classes: int) -> float:
    """Log loss of probabilities as ``Scorer.outputs`` gives them; root mean squared error of numbers.

    Args:
        outputs: (rows,), or (rows, classes) for several.
        labels: (rows,) the number of the class, or the number.
        classes: how many; 0 for a number.
    """
    if classes == 0:
        return float(np.sqrt(np.mean((outputs - labels) ** 2)))
    if outputs.ndim == 1:
        probabilities = np.where(labels == 1, outputs, 1 - outputs)
    else:
        probabilities = outputs[np.arange(len(labels)), labels.astype(int)]
    return float(-np.log(np.maximum(probabilities, _LEAST)).mean())


def _platt(margins: Margins, labels: NDArray[np.floating]) -> Calibration | None:
    from scipy.optimize import minimize

    positive = labels == 1
    count = int(positive.sum())
    target = np.where(positive, (count + 1) / (count + 2), 1 / (len(labels) - count + 2))
    values = margins.astype(np.float64)

    def cost(line: Floats) -> tuple[float, Floats]:
        scaled = line[0] * values + line[1]
        error = Calibration.model_construct(slope=line[0], intercept=line[1]).probabilities(values) - target
        return float(np.mean(np.logaddexp(0, scaled) - target * scaled)), np.array(
            [(error * values).mean(), error.mean()]
        )

    slope, intercept = minimize(cost, np.array([1.0, 0.0]), jac=True, method="BFGS").x.tolist()
    return Calibration(slope=slope, intercept=intercept) if slope > 0 else None


def _temperature(margins: Margins, labels: NDArray[np.floating]) -> Calibration:
    from scipy.optimize import minimize_scalar

    def cost(logarithm: float) -> float:
        probabilities = Calibration(slope=float(np.exp(logarithm))).probabilities(margins)
        return loss(probabilities, labels, margins.shape[1])

    return Calibration(slope=float(np.exp(minimize_scalar(cost, bounds=_SLOPES, method="bounded").x)))
