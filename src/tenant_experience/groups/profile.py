"""What the two groups look like: feature by feature, and portfolio by portfolio."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import wilson_interval
from tenant_experience.statistics.ranks import probability_worse
from tenant_experience.use_case.schema import UseCase

LEAST_FOR_SHARE = 30
LEAST_FOR_RANK = 100


def feature_profile(table: FeatureTable, label: NDArray[np.floating], use_case: UseCase) -> list[dict[str, Any]]:
    """Each feature in the bad group, which is that of the last class, beside the others.

    Args:
        table: the tenants that have a group.
        label: the number of each one's class, shape (tenants,).
        use_case: classes, directions, markers and checks.

    Returns:
        A row per feature that is a number: feature, more_is, aspect (service, demand or null), role (marker, check or
        null), bad and good (all others) {known, mean, median} (null where nobody has a value), ``by_class``: the same
        for each class by its name, and ``probability_worse``: P(a tenant of the bad group is worse off on it than
        one of the others), ties half; for a feature that is neither better nor worse, P(it has more) stands in
        ``probability_more``.
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
            {
                "feature": name,
                "more_is": feature.more_is,
                "aspect": feature.aspect,
                "role": _role(name, use_case),
                "good": _summary(values[~bad]),
                "bad": _summary(values[bad]),
                "by_class": {each: _summary(values[label == number]) for number, each in enumerate(classes)},
                "probability_worse": probability if feature.direction else None,
                "probability_more": None if feature.direction else probability,
            }
        )
    return rows


def portfolio_shares(portfolio_id: NDArray[np.str_], bad: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """The share of bad per portfolio with its 95% interval; under 30 tenants no share is told.

    Returns:
        A row per portfolio, by name: portfolio_id, tenants, bad, share, low, high (null under 30 tenants), and rank: 1
        for the highest share among the portfolios of 100 tenants or more, equal shares alike; null for smaller ones,
        and when there are not two to compare.
    """
    names, inverse = np.unique(portfolio_id, return_inverse=True)
    totals = np.bincount(inverse, minlength=len(names)).tolist()
    bads = np.bincount(inverse, weights=bad, minlength=len(names)).astype(int).tolist()
    rows: list[dict[str, Any]] = []
    for name, total, count in zip(names.tolist(), totals, bads, strict=True):
        low, high = wilson_interval(count, total)
        told = total >= LEAST_FOR_SHARE
        rows.append(
            {
                "portfolio_id": name,
                "tenants": total,
                "bad": count,
                "share": count / total if told else None,
                "low": low if told else None,
                "high": high if told else None,
                "rank": None,
            }
        )
    ranked = [row for row in rows if row["tenants"] >= LEAST_FOR_RANK]
    for row in ranked if len(ranked) > 1 else []:
        row["rank"] = 1 + sum(other["share"] > row["share"] for other in ranked)
    return rows


def _role(name: str, use_case: UseCase) -> str | None:
    if use_case.clustering and name in use_case.clustering.markers:
        return "marker"
    return "check" if use_case.clustering and name in use_case.clustering.checks else None


def _summary(values: Floats) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    if not len(known):
        return {"known": 0, "mean": None, "median": None}
    return {"known": len(known), "mean": float(known.mean()), "median": float(np.median(known))}
