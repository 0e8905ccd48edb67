"""What a partition adds to a prediction that is common to all: levels and slopes, shrunk by empirical Bayes.

``eta = common + level + slope * (common - centre)``, with a level and a slope for each partition. They are drawn from
normal distributions around 0, whose standard deviations maximise the marginal likelihood (Laplace's approximation for
two classes; exact for numbers). A partition of few rows, or levels that hardly differ, are thus shrunk to 0.
Gelman and Hill, "Data analysis using regression and multilevel/hierarchical models" (2007), chapter 12 and 14.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats

Family = Literal["binary", "number"]
Pooling = Literal["global", "level", "level_and_slope"]
FOLDS = 5
# Slopes are taken where their gain is more than so many standard errors.
_SURE = 2
# Bounds of the logarithms of the standard deviations of levels and of slopes, and the precision they are found to.
_LEVELS, _SLOPES, _PRECISION = (np.log(0.005), np.log(20.0)), (np.log(0.005), np.log(1.0)), 0.03
_ROUNDS, _STEPS, _LARGEST_STEP, _DONE = 3, 50, 2.0, 1e-7


@dataclass(frozen=True)
class Rows:
    """What effects are fitted to; numbers have been divided by their spread within partitions.

    Attributes:
        family: two classes, by log-odds, or numbers.
        common: (rows,) the prediction that is common to all partitions: calibrated log-odds, or a number. It must come
            from models that were not fitted on the row, or the levels look smaller than they are.
        truth: (rows,) 0 or 1, or the number.
        place: (rows,) the number of the row's partition.
        partitions: how many there are.
    """

    family: Family
    common: Floats
    truth: Floats
    place: NDArray[np.intp]
    partitions: int

    def take(self, rows: NDArray[Any]) -> Rows:
        """Some rows of the same partitions."""
        return replace(self, common=self.common[rows], truth=self.truth[rows], place=self.place[rows])

    def sums(self, values: Floats) -> Floats:
        """(partitions,) sums of values of the rows."""
        return np.bincount(self.place, values, self.partitions).astype(np.float64, copy=False)

    def losses(self, answers: Floats) -> Floats:
        """(rows,) log loss of log-odds, or squared error of numbers."""
        if self.family == "number":
            return np.asarray((self.truth - answers) ** 2)
        return np.asarray(np.logaddexp(0, answers) - self.truth * answers)


@dataclass(frozen=True)
class Effects:
    """Of each partition (partitions,), and the standard deviations between partitions.

    ``level`` is added to the common prediction times ``1 + slope``: it includes what the slope does to the centre.
    """

    level: Floats
    slope: Floats
    between: float = 0.0
    between_slopes: float = 0.0

    def answers(self, rows: Rows) -> Floats:
        """(rows,) log-odds, or numbers."""
        return np.asarray(self.level[rows.place] + (1 + self.slope[rows.place]) * rows.common)


@dataclass(frozen=True)
class Choice:
    """What cross-validation chose, fitted to all rows, with the mean loss of each choice on rows held out."""

    taken: Pooling
    effects: Effects
    losses: dict[Pooling, float]


def choose_effects(rows: Rows) -> Choice:
    """Fits what cross-validation chooses: nothing, levels, or levels and slopes.

    Levels are taken where they lower the loss of rows held out. Slopes are taken where they lower it by more than two
    standard errors beside levels: they need more tenants, and cost more than they give where there are none.
    """
    if rows.family == "number":
        scale = _spread_within(rows)
        scaled = replace(rows, common=rows.common / scale, truth=rows.truth / scale)
        choice = _choose(scaled)
        effects = replace(choice.effects, level=choice.effects.level * scale, between=choice.effects.between * scale)
        return Choice(choice.taken, effects, {name: loss * scale**2 for name, loss in choice.losses.items()})
    return _choose(rows)


def _choose(rows: Rows) -> Choice:
    nothing = Effects(np.zeros(rows.partitions), np.zeros(rows.partitions))
    levels = _fit(rows, slopes=False)
    slopes = _fit(rows, slopes=True, start=levels.between)
    fitted: dict[Pooling, Effects] = {"global": nothing, "level": levels, "level_and_slope": slopes}
    losses = {name: _held_out(rows, effects) for name, effects in fitted.items()}
    taken: Pooling = "global"
    if _gain(rows, losses["global"], losses["level"])[0] > 0:
        taken = "level"
    gain, error = _gain(rows, losses[taken], losses["level_and_slope"])
    if gain > _SURE * error:
        taken = "level_and_slope"
    return Choice(taken, fitted[taken], {name: float(loss.mean()) for name, loss in losses.items()})


def _held_out(rows: Rows, whole: Effects) -> Floats:
    """(rows,) losses of effects that were fitted without the row; the deviations between partitions are of all rows."""
    if not whole.between:
        return rows.losses(whole.answers(rows))
    fold, found = _folds(rows), np.empty(len(rows.place))
    for number in range(FOLDS):
        held = fold == number
        fitted = _effects(rows.take(~held), whole.between, whole.between_slopes)
        found[held] = rows.take(held).losses(fitted.answers(rows.take(held)))
    return found


def _folds(rows: Rows) -> NDArray[np.intp]:
    """(rows,) the fold of each: every partition is spread over all folds."""
    order = np.argsort(rows.place, kind="stable")
    first = np.cumsum([0, *np.bincount(rows.place, minlength=rows.partitions)])
    fold = np.empty(len(order), dtype=np.intp)
    fold[order] = (np.arange(len(order)) - first[rows.place[order]]) % FOLDS
    return fold


def _gain(rows: Rows, without: Floats, with_: Floats) -> tuple[float, float]:
    """How much lower the mean loss is, and its standard error: the larger of that over rows and over partitions."""
    gain = without - with_
    mean = float(gain.mean())
    over_rows = float(gain.std()) / np.sqrt(len(gain))
    over_partitions = float(np.sqrt(np.sum(rows.sums(gain - mean) ** 2))) / len(gain)
    return mean, max(over_rows, over_partitions)


def _fit(rows: Rows, *, slopes: bool, start: float = 0.3) -> Effects:
    between, between_slopes = start, 0.1 if slopes else 0.0
    warm: list[Floats] = [np.zeros((rows.partitions, 2))]

    def cost(level: float, slope: float) -> float:
        warm[0], evidence = _mode(rows, level, slope, warm[0])
        return -evidence

    for _ in range(_ROUNDS if slopes else 1):
        between = _minimum(partial(_cost_of_levels, cost, between_slopes), _LEVELS)
        if slopes:
            between_slopes = _minimum(partial(_cost_of_slopes, cost, between), _SLOPES)
    return _effects(rows, between, between_slopes)


def _cost_of_levels(cost: Callable[[float, float], float], between_slopes: float, logarithm: float) -> float:
    return cost(float(np.exp(logarithm)), between_slopes)


def _cost_of_slopes(cost: Callable[[float, float], float], between: float, logarithm: float) -> float:
    return cost(between, float(np.exp(logarithm)))


def _minimum(cost: Callable[[float], float], bounds: tuple[float, float]) -> float:
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": _PRECISION})
    return float(np.exp(found.x))


def _effects(rows: Rows, between: float, between_slopes: float) -> Effects:
    mode, _ = _mode(rows, between, between_slopes, np.zeros((rows.partitions, 2)))
    slope = mode[:, 1]
    return Effects(mode[:, 0] - slope * _centre(rows), slope, between, between_slopes)


def _centre(rows: Rows) -> float:
    return float(rows.common.mean()) if len(rows.common) else 0.0


def _mode(rows: Rows, between: float, between_slopes: float, start: Floats) -> tuple[Floats, float]:
    """(partitions, 2) the likeliest levels and slopes, by Newton's method, and the logarithm of the evidence."""
    centred = rows.common - _centre(rows) if between_slopes else np.zeros(len(rows.common))
    prior = 1 / between**2, 1 / between_slopes**2 if between_slopes else 1.0
    effects = start * (1.0, 1.0 if between_slopes else 0.0)
    for _ in range(_STEPS):
        answers = rows.common + effects[rows.place, 0] + effects[rows.place, 1] * centred
        error, weight = _derivatives(rows, answers)
        gradient = rows.sums(error) - prior[0] * effects[:, 0], rows.sums(error * centred) - prior[1] * effects[:, 1]
        a, b, c = (
            rows.sums(weight) + prior[0],
            rows.sums(weight * centred),
            rows.sums(weight * centred**2) + prior[1],
        )
        determinant = a * c - b**2
        step = np.column_stack(
            [(c * gradient[0] - b * gradient[1]) / determinant, (a * gradient[1] - b * gradient[0]) / determinant]
        )
        if np.abs(step).max() < _DONE:
            break
        effects = effects + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
    likelihood = -rows.losses(answers).sum() * (0.5 if rows.family == "number" else 1)
    penalty = -0.5 * np.sum(effects**2 * prior)
    volume = 0.5 * rows.partitions * np.log(prior[0] * prior[1]) - 0.5 * np.log(determinant).sum()
    return effects, float(likelihood + penalty + volume)


def _derivatives(rows: Rows, answers: Floats) -> tuple[Floats, Floats]:
    if rows.family == "number":
        return rows.truth - answers, np.ones(len(answers))
    probability = 1 / (1 + np.exp(-np.clip(answers, -500, 500)))
    return rows.truth - probability, probability * (1 - probability)


def _spread_within(rows: Rows) -> float:
    """Standard deviation of what the common prediction leaves, around the mean of each partition; 1 where it is 0."""
    left = rows.truth - rows.common
    counts = np.bincount(rows.place, minlength=rows.partitions)
    means = rows.sums(left) / np.maximum(counts, 1)
    free = max(len(left) - int((counts > 0).sum()), 1)
    return float(np.sqrt(np.sum((left - means[rows.place]) ** 2) / free)) or 1.0
