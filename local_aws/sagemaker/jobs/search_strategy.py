"""Where a tuning job looks next.

``Bayesian`` here is a tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization",
2011), one hyperparameter at a time, with the standard library alone. The service uses a Gaussian process, which
is Bayesian too, and chooses other points.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from local_aws.sagemaker.jobs.search_space import ChoiceRange, Range

_FIRST_RANDOM = 5
_GOOD = 0.25
_CANDIDATES = 24
_NARROWEST = 0.05

Point = list[float]  # a place between 0 and 1 for each range


@dataclass(frozen=True)
class Trial:
    """A tried point with its loss (smaller is better), or None when it has no loss."""

    point: Point
    loss: float | None


class Search:
    """Proposes points.

    Args:
        ranges: the hyperparameters.
        bayesian: whether to learn from the trials.
        seed: the same seed proposes the same points for the same trials.
    """

    def __init__(self, ranges: Sequence[Range], *, bayesian: bool, seed: str) -> None:
        self._ranges = ranges
        self._bayesian = bayesian
        self._random = random.Random(seed)  # noqa: S311 a search, not a secret

    def propose(self, trials: Sequence[Trial]) -> Point:
        """The next point after all trials so far. A trial under way counts as bad, so that others look elsewhere."""
        known = sorted((trial for trial in trials if trial.loss is not None), key=lambda trial: trial.loss or 0.0)
        if not self._bayesian or len(known) < _FIRST_RANDOM:
            return [self._random.random() for _ in self._ranges]
        good = known[: max(2, math.ceil(_GOOD * len(known)))]
        rest = known[len(good) :] + [trial for trial in trials if trial.loss is None]
        return [
            self._one(each, [trial.point[place] for trial in good], [trial.point[place] for trial in rest])
            for place, each in enumerate(self._ranges)
        ]

    def _one(self, each: Range, good: list[float], rest: list[float]) -> float:
        """Of candidates near good points, the one least like the bad points."""
        if isinstance(each, ChoiceRange):
            return self._choice(len(each.values), good, rest)
        width = max(_NARROWEST, 1 / (1 + len(good)))
        candidates = [self._near(self._random.choice([*good, None]), width) for _ in range(_CANDIDATES)]
        return max(candidates, key=lambda x: _density(x, good, width) / _density(x, rest, width))

    def _near(self, middle: float | None, width: float) -> float:
        if middle is None:  # the prior: anywhere
            return self._random.random()
        return min(max(self._random.gauss(middle, width), 0.0), 1.0)

    def _choice(self, count: int, good: list[float], rest: list[float]) -> float:
        def share(places: list[float], number: int) -> float:
            return (1 + sum(int(place * count) == number for place in places)) / (count + len(places))

        weights = [share(good, number) for number in range(count)]
        drawn = self._random.choices(range(count), weights, k=_CANDIDATES)
        best = max(drawn, key=lambda number: share(good, number) / share(rest, number))
        return (best + 0.5) / count


def _density(x: float, middles: list[float], width: float) -> float:
    """A uniform prior and a bell over each point, in equal parts."""
    bells = (math.exp(-0.5 * ((x - middle) / width) ** 2) / (width * math.sqrt(2 * math.pi)) for middle in middles)
    return (1 + sum(bells)) / (1 + len(middles))
