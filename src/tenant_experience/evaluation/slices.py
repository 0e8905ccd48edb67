"""The same metrics for slices of the test part: a model may be good on the whole and poor for some tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._intervals import measured
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.arrays import Floats

LEAST_FOR_METRICS = 30
LEAST_FOR_RANKING = 100
EXPOSURE_DAYS = (0, 90, 180, 270, 365)
NO_CONTACT = "no contact"
Names = NDArray[np.str_]


@dataclass(frozen=True)
class Slice:
    """The metrics of some tenants of the test part.

    Attributes:
        name: of the slice.
        tenants: how many there are.
        bad: how many are of the positive class; None without one.
        ranked: whether there are enough tenants, 100, to compare the slice with others.
        metrics: by name; None where undefined.
        intervals: [low, high] of each metric.
    """

    name: str
    tenants: int
    bad: int | None
    ranked: bool
    metrics: dict[str, float | None]
    intervals: dict[str, list[float] | None]


def slice_names(table: FeatureTable, contacts: Sequence[str]) -> dict[str, Names]:
    """The kinds of slices, and the slice of each tenant, "" where it has none.

    Args:
        table: the tenants.
        contacts: features that count contacts of one kind each; the slice ``channel`` is the kind that a tenant has
            most of (the first of equal ones). Without any, there are no slices by channel.

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
        edges: the start of each band, ascending; the last band has no end.
        unit: the unit of the values, for the names.
    """
    names = [f"{low} to {high - 1} {unit}" for low, high in pairwise(edges)]
    places = np.searchsorted(edges, np.nan_to_num(values), side="right") - 1
    return np.where(np.isnan(values), "", np.asarray([*names, f"{edges[-1]} {unit} or more"])[places])


def measured_slices(scored: ScoredRows, slices: Mapping[str, Names], positive: int | None) -> dict[str, list[Slice]]:
    """Metrics with intervals for every slice with at least 30 tenants, where there is more than one slice.

    Args:
        scored: the test part.
        slices: from ``slice_names``, of the same tenants.
        positive: the number of the positive class, if there is one.

    Returns:
        By kind, the slices in order of their names.
    """
    return {kind: _slices(scored, names, positive) for kind, names in slices.items()}


def _slices(scored: ScoredRows, names: Names, positive: int | None) -> list[Slice]:
    rows = []
    distinct, number, counts = np.unique(names, return_inverse=True, return_counts=True)
    # Each slice's rows, ascending, from one pass over all: there may be thousands of portfolios.
    rows_of = np.split(np.argsort(number, kind="stable"), np.cumsum(counts)[:-1])
    for name, members in zip(distinct.tolist(), rows_of, strict=True) if len(distinct) > 1 else ():
        tenants = len(members)
        if not name or tenants < LEAST_FOR_METRICS:
            continue
        part = scored.take(members)
        bad = None if positive is None else int((part.labels == positive).sum())
        figures = measured(part)
        rows.append(Slice(name, tenants, bad, tenants >= LEAST_FOR_RANKING, figures.metrics, figures.intervals))
    return rows


def _channels(table: FeatureTable, contacts: Sequence[str]) -> Names:
    counts = np.nan_to_num(table.matrix(contacts))
    return np.where(counts.any(axis=1), np.asarray(contacts)[counts.argmax(axis=1)], NO_CONTACT)
