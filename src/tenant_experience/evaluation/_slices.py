"""The same metrics for parts of the test part: a model may be good on the whole and poor for some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._intervals import measured
from tenant_experience.evaluation._scored_rows import ScoredRows
from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.arrays import Floats

LEAST_FOR_METRICS = 30
LEAST_FOR_RANKING = 100
EXPOSURE_DAYS = (0, 90, 180, 270, 365)
NO_CONTACT = "no contact"
Names = NDArray[np.str_]


def slice_names(table: FeatureTable, contacts: Sequence[str]) -> dict[str, Names]:
    """By which parts metrics are told, and each tenant's part, "" where it has none.

    Args:
        table: tenants.
        contacts: features that count contacts of one kind each; the part ``channel`` is the kind a tenant has most of
            (the first of equal ones). Without any, nothing is told by channel.

    Returns:
        portfolio, exposure and channel.
    """
    unknown = np.full(len(table), "")
    return {
        "portfolio": table.portfolio_id,
        "exposure": exposure_bands(table),
        "channel": _channels(table, contacts) if contacts else unknown,
    }


def exposure_bands(table: FeatureTable) -> Names:
    """Each tenant's band of days of history, "" where unknown."""
    days = table.side.get("exposure_days", np.full(len(table), np.nan))
    return banded(days, EXPOSURE_DAYS, "days")


def banded(values: Floats, edges: Sequence[int], unit: str) -> Names:
    """The band of each value, by name, "" for NaN.

    Args:
        values: (rows,), none below the first edge.
        edges: where each band begins, ascending; the last one has no end.
        unit: what is counted.
    """
    names = [f"{low} to {high - 1} {unit}" for low, high in pairwise(edges)]
    places = np.searchsorted(edges, np.nan_to_num(values), side="right") - 1
    return np.where(np.isnan(values), "", np.asarray([*names, f"{edges[-1]} {unit} or more"])[places])


def measured_slices(
    scored: ScoredRows, parts: Mapping[str, Names], positive: int | None
) -> dict[str, list[dict[str, Any]]]:
    """Metrics with intervals of every part with at least 30 tenants, where there is more than one part.

    Args:
        scored: the test part.
        parts: from ``slice_names``, of the same tenants.
        positive: the number of the class that is predicted, if any.

    Returns:
        By kind of part, in order of name: name, tenants, bad (None without a positive class), ranked (whether there
        are enough tenants, 100, to compare it with others), metrics, intervals.
    """
    return {kind: _slices(scored, names, positive) for kind, names in parts.items()}


def _slices(scored: ScoredRows, names: Names, positive: int | None) -> list[dict[str, Any]]:
    rows = []
    distinct = np.unique(names).tolist()
    for name in distinct if len(distinct) > 1 else []:
        members = names == name
        tenants = int(members.sum())
        if not name or tenants < LEAST_FOR_METRICS:
            continue
        part = scored.take(members)
        rows.append(
            {
                "name": name,
                "tenants": tenants,
                "bad": None if positive is None else int((part.labels == positive).sum()),
                "ranked": tenants >= LEAST_FOR_RANKING,
                **measured(part).document(),
            }
        )
    return rows


def _channels(table: FeatureTable, contacts: Sequence[str]) -> Names:
    counts = np.nan_to_num(table.matrix(contacts))
    return np.where(counts.any(axis=1), np.asarray(contacts)[counts.argmax(axis=1)], NO_CONTACT)
