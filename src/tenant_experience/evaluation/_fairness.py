"""Whether the share of bad goes with how long a tenant is known, or with how large its portfolio is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._slices import LEAST_FOR_METRICS, Names, banded, exposure_bands
from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.intervals import wilson_interval

HIGHEST_RATIO = 1.25
PORTFOLIO_SIZES = (1, 100, 500, 2_000)
_BY = {"exposure": "how long tenants are known", "size": "how large their portfolio is"}


def bad_share_by_band(table: FeatureTable, bad: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """The share of bad by exposure and by size of the portfolio, each where there are bands to compare.

    Args:
        table: the tenants that have a label.
        bad: whether each is of the positive class.

    Returns:
        A row for each of the two: by (``exposure`` or ``size``), groups (name, tenants, bad, share, low, high: 95%,
        Wilson; of bands with at least 30 tenants), ratio of the highest share to the lowest (None when that is 0), and
        warned, whether it is above 1.25.
    """
    _, inverse, sizes = np.unique(table.portfolio_id, return_inverse=True, return_counts=True)
    bands = {
        "exposure": exposure_bands(table),
        "size": banded(sizes[inverse].astype(np.float64), PORTFOLIO_SIZES, "tenants"),
    }
    compared = {by: _groups(names, bad) for by, names in bands.items()}
    return [_comparison(by, groups) for by, groups in compared.items() if len(groups) > 1]


def fairness_warnings(comparisons: list[dict[str, Any]], positive: str | None) -> list[str]:
    """A sentence for each of ``bad_share_by_band`` that is warned of; ``positive`` is the class's name."""
    found = []
    for comparison in comparisons:
        if comparison["warned"]:
            groups = sorted(comparison["groups"], key=lambda group: group["share"])
            found.append(
                f"The share of {positive} goes with {_BY[comparison['by']]}: {_told(groups[-1])}, {_told(groups[0])}. "
                f"From {HIGHEST_RATIO:g} times as many on this is warned of."
            )
    return found


def _told(group: dict[str, Any]) -> str:
    return f"{group['share']:.1%} ({group['low']:.1%} to {group['high']:.1%}) at {group['name']}"


def _comparison(by: str, groups: list[dict[str, Any]]) -> dict[str, Any]:
    shares = [group["share"] for group in groups]
    ratio = max(shares) / min(shares) if min(shares) else None
    return {
        "by": by,
        "groups": groups,
        "ratio": ratio,
        "warned": max(shares) > HIGHEST_RATIO * min(shares),
    }


def _groups(names: Names, bad: NDArray[np.bool_]) -> list[dict[str, Any]]:
    rows = []
    for name in sorted(set(names.tolist()) - {""}, key=lambda name: int(name.split()[0])):
        members = names == name
        tenants, count = int(members.sum()), int(bad[members].sum())
        if tenants < LEAST_FOR_METRICS:
            continue
        low, high = wilson_interval(count, tenants)
        rows.append(
            {"name": name, "tenants": tenants, "bad": count, "share": count / tenants, "low": low, "high": high}
        )
    return rows
