"""What the groups look like: feature by feature, and portfolio by portfolio."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import wilson_interval
from tenant_experience.statistics.ranks import probability_worse
from tenant_experience.use_case.schema import UseCase

LEAST_FOR_SHARE = 30
LEAST_FOR_RANK = 100


@dataclass(frozen=True)
class GroupSummary:
    """One feature in one group: how many tenants have a value, and its mean and median (None when nobody has one)."""

    known: int
    mean: float | None
    median: float | None


@dataclass(frozen=True)
class FeatureProfile:
    """One feature that is a number, in the bad group beside the others.

    Attributes:
        feature: its name.
        more_is: worse, better or neither.
        aspect: service, demand or None.
        role: marker, check or None.
        good: all groups but the bad one.
        bad: the bad group.
        by_class: each class by its name.
        probability_worse: P(a tenant of the bad group is worse off on it than one of the others), ties counted half;
            None for a feature that is neither better nor worse.
        probability_more: for such a feature, P(a tenant of the bad group has more of it).
    """

    feature: str
    more_is: str
    aspect: str | None
    role: str | None
    good: GroupSummary
    bad: GroupSummary
    by_class: dict[str, GroupSummary]
    probability_worse: float | None
    probability_more: float | None

    @property
    def is_known(self) -> bool:
        """Whether any tenant has a value."""
        return bool(self.good.known or self.bad.known)


@dataclass(frozen=True)
class PortfolioShare:
    """The share of bad tenants in one portfolio.

    Attributes:
        portfolio_id: the portfolio.
        tenants: how many it has.
        bad: how many of them are bad.
        share: of bad tenants, with its 95% interval by Wilson; None under 30 tenants.
        low: lower end of the interval.
        high: upper end of the interval.
        rank: 1 for the highest share among the portfolios of 100 tenants or more, equal shares alike; None for smaller
            portfolios, and when there are not two to compare.
    """

    portfolio_id: str
    tenants: int
    bad: int
    share: float | None
    low: float | None
    high: float | None
    rank: int | None


def feature_profile(table: FeatureTable, label: NDArray[np.floating], use_case: UseCase) -> list[FeatureProfile]:
    """Compares the bad group, which is that of the last class, with the others, for each feature that is a number.

    Args:
        table: the tenants that have a group.
        label: the number of each tenant's class, shape (tenants,).
        use_case: classes, directions, markers and checks.
    """
    classes = use_case.labels.classes or []
    bad = label == len(classes) - 1
    rows = []
    for name, feature in use_case.features.items():
        if feature.kind == "category":
            continue
        values = table.column(name)
        probability = probability_worse(values, bad, feature.direction)
        rows.append(
            FeatureProfile(
                feature=name,
                more_is=feature.more_is,
                aspect=feature.aspect,
                role=_role(name, use_case),
                good=_summary(values[~bad]),
                bad=_summary(values[bad]),
                by_class={each: _summary(values[label == number]) for number, each in enumerate(classes)},
                probability_worse=probability if feature.direction else None,
                probability_more=None if feature.direction else probability,
            )
        )
    return rows


def portfolio_shares(portfolio_id: NDArray[np.str_], bad: NDArray[np.bool_]) -> list[PortfolioShare]:
    """A row for each portfolio, in order of name."""
    names, inverse = np.unique(portfolio_id, return_inverse=True)
    totals = np.bincount(inverse, minlength=len(names)).tolist()
    bads = np.bincount(inverse, weights=bad, minlength=len(names)).astype(int).tolist()
    # The negated shares of the portfolios that are ranked, ascending: as many stand before a share as are higher.
    ranked = sorted(-count / total for count, total in zip(bads, totals, strict=True) if total >= LEAST_FOR_RANK)
    rows = []
    for name, total, count in zip(names.tolist(), totals, bads, strict=True):
        low, high = wilson_interval(count, total)
        share = count / total
        has_rank = total >= LEAST_FOR_RANK and len(ranked) > 1
        rank = 1 + bisect_left(ranked, -share) if has_rank else None
        if total >= LEAST_FOR_SHARE:
            rows.append(PortfolioShare(name, total, count, share, low, high, rank))
        else:
            rows.append(PortfolioShare(name, total, count, None, None, None, None))
    return rows


def _role(name: str, use_case: UseCase) -> str | None:
    if use_case.clustering and name in use_case.clustering.markers:
        return "marker"
    return "check" if use_case.clustering and name in use_case.clustering.checks else None


def _summary(values: Floats) -> GroupSummary:
    known = values[~np.isnan(values)]
    if not len(known):
        return GroupSummary(0, None, None)
    return GroupSummary(len(known), float(known.mean()), float(np.median(known)))
