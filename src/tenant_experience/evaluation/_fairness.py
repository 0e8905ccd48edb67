"""Whether the share of bad tenants depends on how long tenants have been known, or on the size of their portfolio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation.slices import LEAST_FOR_METRICS, Names, banded, exposure_bands
from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.intervals import wilson_interval

HIGHEST_RATIO = 1.25
PORTFOLIO_SIZES = (1, 100, 500, 2_000)
_BY = {"exposure": "how long tenants have been known", "size": "the size of their portfolio"}


@dataclass(frozen=True)
class BandShare:
    """The share of bad tenants in one band, with its 95% interval by Wilson."""

    name: str
    tenants: int
    bad: int
    share: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.share:.1%} ({self.low:.1%} to {self.high:.1%}) at {self.name}"


@dataclass(frozen=True)
class BandComparison:
    """The share of bad tenants in several bands.

    Attributes:
        by: what the bands are of.
        groups: the bands with at least 30 tenants.
        ratio: the highest share divided by the lowest; None when the lowest is 0.
        warned: whether the ratio is above 1.25.
    """

    by: Literal["exposure", "size"]
    groups: list[BandShare]
    ratio: float | None
    warned: bool


def bad_share_by_band(table: FeatureTable, bad: NDArray[np.bool_]) -> list[BandComparison]:
    """The share of bad tenants by exposure and by size of the portfolio, each where there are bands to compare.

    Args:
        table: the tenants that have a label.
        bad: whether each is of the positive class.
    """
    _, inverse, sizes = np.unique(table.portfolio_id, return_inverse=True, return_counts=True)
    bands: dict[Literal["exposure", "size"], Names] = {
        "exposure": exposure_bands(table),
        "size": banded(sizes[inverse].astype(np.float64), PORTFOLIO_SIZES, "tenants"),
    }
    compared = {by: _shares(names, bad) for by, names in bands.items()}
    return [_comparison(by, groups) for by, groups in compared.items() if len(groups) > 1]


def fairness_warnings(comparisons: Sequence[BandComparison], positive: str | None) -> list[str]:
    """One sentence for each comparison that warns; ``positive`` is the name of the positive class."""
    found = []
    for comparison in comparisons:
        if comparison.warned:
            groups = sorted(comparison.groups, key=lambda group: group.share)
            found.append(
                f"The share of {positive} tenants depends on {_BY[comparison.by]}: {groups[-1]}, {groups[0]}. "
                f"This warning appears when the highest share is more than {HIGHEST_RATIO:g} times the lowest."
            )
    return found


def _comparison(by: Literal["exposure", "size"], groups: list[BandShare]) -> BandComparison:
    shares = [group.share for group in groups]
    ratio = max(shares) / min(shares) if min(shares) else None
    return BandComparison(by, groups, ratio, max(shares) > HIGHEST_RATIO * min(shares))


def _shares(names: Names, bad: NDArray[np.bool_]) -> list[BandShare]:
    rows = []
    for name in sorted(set(names.tolist()) - {""}, key=lambda name: int(name.split()[0])):
        members = names == name
        tenants, count = int(members.sum()), int(bad[members].sum())
        if tenants >= LEAST_FOR_METRICS:
            rows.append(BandShare(name, tenants, count, count / tenants, *wilson_interval(count, tenants)))
    return rows
