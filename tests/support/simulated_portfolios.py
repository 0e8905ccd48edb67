"""Tenants of many portfolios whose true chance, or true number, is known: what differs between portfolios is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.schema import UseCase

FEATURES = ("first", "second", "third", "fourth", "fifth")
_COMMON = np.array([0.9, -0.7, 0.5, 0.3, 0.0])


@dataclass(frozen=True)
class Differences:
    """Standard deviations between portfolios: of levels, of the slope of all features together, and of each feature."""

    levels: float = 0.0
    slope: float = 0.0
    features: float = 0.0


@dataclass(frozen=True)
class Portfolios:
    """Their true log-odds: ``level + features @ slopes``."""

    names: tuple[str, ...]
    levels: Floats
    slopes: Floats

    @classmethod
    def draw(cls, count: int, differences: Differences, seed: int) -> Portfolios:
        """Portfolios that differ by so much."""
        chance = np.random.default_rng([seed, 1])
        together = 1 + chance.normal(0, 1, (count, 1)) * differences.slope
        slopes = _COMMON * together + chance.normal(0, 1, (count, len(_COMMON))) * differences.features
        names = tuple(f"P{number:04d}" for number in range(count))
        return cls(names, -0.5 + chance.normal(0, 1, count) * differences.levels, slopes)

    def tenants(self, sizes: Sequence[int], seed: int, *, number: bool = False) -> tuple[FeatureTable, Floats]:
        """Tenants, ``sizes`` of each portfolio, with labels; and their true log-odds, or numbers without noise."""
        chance = np.random.default_rng([seed, 2])
        place: NDArray[np.intp] = np.repeat(np.arange(len(self.names)), sizes)
        values = chance.normal(size=(len(place), len(FEATURES)))
        truth = self.levels[place] + (values * self.slopes[place]).sum(axis=1)
        if number:
            label = truth + chance.normal(size=len(place))
        else:
            label = (chance.random(len(place)) < 1 / (1 + np.exp(-truth))).astype(np.float64)
        table = FeatureTable(
            tenant_id=np.asarray([f"T{each:07d}" for each in range(len(place))]),
            portfolio_id=np.asarray(self.names)[place],
            partition_slug=np.full(len(place), "all"),
            history=np.full(len(place), "sufficient"),
            may_train=np.ones(len(place), dtype=bool),
            values=values,
            features=FEATURES,
            as_of="2026-11-01T00:00:00Z",
            label=label,
        )
        return table, truth


def pooled_settings(*, number: bool = False, **models: Any) -> dict[str, Any]:
    """``use_case.yaml`` of the simulated tenants."""
    labels: Mapping[str, Any] = {"classes": ["stays", "leaves"], "positive": "leaves"}
    return {
        "name": "simulated",
        "record_id": "tenant_id",
        "partition_column": "portfolio",
        "default_source": "table",
        "features": {name: {} for name in FEATURES},
        "labels": {"from": "column", "column": "label", **({} if number else labels)},
        "models": {"scope": "pooled", "minimum_tenants": 400, **models},
        "hyperparameters": {"n_estimators": 300, "max_depth": 3, "learning_rate": 0.1, "early_stopping_rounds": 20},
        "gates": {"pooled_tenants": 100, "freshness_days": None},
    }


def pooled_use_case(*, number: bool = False, **models: Any) -> UseCase:
    """The use case of the simulated tenants."""
    return UseCase.model_validate(pooled_settings(number=number, **models))
