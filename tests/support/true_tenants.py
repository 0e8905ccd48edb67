"""Tenants whose true rates are known, and as many periods of them as wanted: what is seen is drawn anew each time.

The noise is that of the use case: counts are Poisson, waits exponential, and rates binomial. True rates differ between
tenants, and between portfolios when wanted, and do not change from one period to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.arrays import Floats
from tests.support.generated_tenants import use_case

COUNTS = (
    "work_order_count",
    "escalation_count",
    "total_maintenance_tickets",
    "total_tickets",
    "outbound_call_count",
)
HOURS = ("mean_first_response_hr", "mean_full_resolution_hr")
RATES = ("positive_rate", "negative_rate")
_CALLS = 7


@dataclass(frozen=True)
class TrueTenants:
    """Tenants, and the mean of each feature a year; every array has an entry for each."""

    portfolio: np.ndarray
    mean: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.portfolio)

    def period(self, number: int, exposure_days: Floats | None = None) -> FeatureTable:
        """What is seen of them in one period; ``number`` also dates it."""
        chance, count = np.random.default_rng([number, len(self)]), len(self)
        days = np.full(count, 365.0) if exposure_days is None else exposure_days
        years = days / 365
        seen: dict[str, Floats] = {name: chance.poisson(self.mean[name] * years) / years for name in COUNTS}
        tickets = np.rint(seen["total_tickets"] * years).astype(int)
        matters = tickets + np.rint(seen["total_maintenance_tickets"] * years).astype(int)
        for name in HOURS:
            mean = self.mean[name] * chance.gamma(np.maximum(matters, 1)) / np.maximum(matters, 1)
            seen[name] = np.where(matters > 0, mean, np.nan)
        for name, of in (*((name, tickets) for name in RATES), ("answer_rate", chance.poisson(_CALLS * years))):
            hits = chance.binomial(of, self.mean[name])
            seen[name] = np.where(of > 0, hits / np.maximum(of, 1), np.nan)
        return FeatureTable(
            tenant_id=np.asarray([f"T{each:06d}" for each in range(count)]),
            portfolio_id=self.portfolio,
            partition_slug=np.full(count, "all"),
            history=np.full(count, "sufficient"),
            may_train=np.ones(count, dtype=bool),
            values=np.column_stack([seen[name] for name in use_case().feature_names]),
            features=tuple(use_case().feature_names),
            as_of=f"{2020 + number}-11-01T00:00:00Z",
            side={"exposure_days": days},
        )


def true_tenants(
    count: int, seed: int = 0, *, portfolios: int = 40, between: float = 0.3, two_lots: bool = True
) -> TrueTenants:
    """``count`` tenants with a hidden severity that moves every marker, and with ways of their own.

    Args:
        count: how many.
        seed: of everything drawn.
        portfolios: how many there are.
        between: standard deviation of the severity between portfolios.
        two_lots: half of them are badly off, or else severity is a continuum.
    """
    chance = np.random.default_rng(seed)
    portfolio = chance.integers(0, portfolios, count)
    centre = (chance.random(count) < 0.5) * 1.0 if two_lots else chance.normal(0.5, 0.35, count)
    severity = centre + chance.normal(0, 0.35, count) + chance.normal(0, between, portfolios)[portfolio]

    def around(level: float, slope: float, own: float = 0.3) -> Floats:
        return np.asarray(np.exp(level + slope * severity + chance.normal(0, own, count)))

    mean = {
        "work_order_count": around(0.8, 0.8),
        "escalation_count": around(-1.5, 2.0),
        "total_maintenance_tickets": around(0.2, 1.3),
        "total_tickets": around(1.8, 0.0, 0.4),
        "mean_first_response_hr": around(1.5, 1.2),
        "mean_full_resolution_hr": around(3.1, 1.2),
        "answer_rate": np.clip(0.95 - 0.25 * severity + chance.normal(0, 0.05, count), 0.02, 1),
        "outbound_call_count": np.full(count, 3.0),
        "positive_rate": chance.beta(1, 20, count),
        "negative_rate": np.clip(0.02 + 0.1 * severity + chance.normal(0, 0.03, count), 0.002, 1),
    }
    return TrueTenants(np.asarray([f"P{each:03d}" for each in portfolio]), mean)
