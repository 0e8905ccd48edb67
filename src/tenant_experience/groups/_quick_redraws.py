"""The groups of redraws in 32-bit numbers, where these leave no doubt: several times as quick as the exact rule.

With nearest centroids, how much further away a group is than the best off one is a sum over the markers. So each marker
is transformed once for each of its different variables, and a tenant's draws are sums of such rows. A tenant with a
draw so near to a boundary that rounding could move it is left to the exact rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tenant_experience.groups.grouping import FittedMarker, Grouping
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.transforms import transformed

Single = NDArray[np.float32]
# Relative to the sum of the sizes of what is added up. Rounding stays below a quarter of it: a logarithm and eight
# further operations of at most 6e-8 each.
_TOLERANCE = 4e-6
# So few that their draws stay in the processor's cache.
_TENANTS_AT_ONCE = 64


@dataclass(frozen=True)
class Redraws:
    """How a marker of some tenants is drawn anew: ``times`` x quantile / ``over``, at each of the quantiles' points.

    Attributes:
        quantiles: of one variable, ascending, (draws,), from its parameters.
        parameters: of each tenant, (tenants, parameters), never NaN.
        times: (tenants,); NaN where the marker is unknown, which no draw changes.
        over: (tenants,), above 0.
        order: (draws,) the order in which the points are taken.
        drawn: as ``quantiles``, but in that order, and in 32-bit numbers.
    """

    quantiles: Callable[..., Floats]
    parameters: Floats
    times: Floats
    over: Floats
    order: NDArray[np.intp]
    drawn: Callable[..., Single]

    def __getitem__(self, rows: NDArray[np.intp]) -> Redraws:
        """Of some of the tenants."""
        return replace(self, parameters=self.parameters[rows], times=self.times[rows], over=self.over[rows])

    def exact(self) -> Floats:
        """Every draw, (tenants, draws)."""
        different, of = np.unique(self.parameters, axis=0, return_inverse=True)
        table = np.stack([self.quantiles(*row) for row in different.tolist()])
        return self.times[:, np.newaxis] * table[:, self.order][of.ravel()] / self.over[:, np.newaxis]


def quick_shares(grouping: Grouping, markers: Sequence[Redraws | Floats], draws: int) -> Floats:
    """The share of the draws in each group, (tenants, groups); NaN where only the exact rule can tell.

    Args:
        grouping: the rule.
        markers: in the order of the rule's; the values themselves, (tenants,), of one that is not drawn anew.
        draws: how many each tenant has.
    """
    rule = grouping.rule
    groups, tenants = len(rule.centroids), len(markers[0].times if isinstance(markers[0], Redraws) else markers[0])
    shares = np.full((tenants, groups), np.nan)
    if rule.mixture is not None:
        return shares
    # What a squared distance is more than that to the first group: a constant, and a slope times each marker's value.
    slopes = 2 * (rule.centroids[0] - rule.centroids[1:]) / rule.space.deviations
    constants = (rule.centroids[1:] ** 2).sum(axis=1) - (rule.centroids[0] ** 2).sum() - slopes @ rule.space.means
    added = np.full(tenants, np.abs(constants).max())
    tables: list[tuple[list[Single], NDArray[np.intp]]] = []
    with np.errstate(all="ignore"):
        for marker, fitted, of_groups in zip(markers, grouping.markers, slopes.T, strict=True):
            values, of = _drawn(marker, fitted) if isinstance(marker, Redraws) else _seen(marker, fitted)
            largest = np.maximum(values.max(axis=1), -values.min(axis=1))
            added += np.abs(of_groups).max() * (1 + largest)[of]
            tables.append(([values * np.float32(slope) for slope in of_groups.tolist()], of))
        tolerance = (_TOLERANCE * added).astype(np.float32)
        for first in range(0, tenants, _TENANTS_AT_ONCE):
            rows = slice(first, first + _TENANTS_AT_ONCE)
            more = np.empty((groups - 1, len(tolerance[rows]), draws), dtype=np.float32)
            more[:] = constants[:, np.newaxis, np.newaxis]
            for of_group, of in tables:
                for distance, values in zip(more, of_group, strict=True):
                    distance += values[of[rows]]
            number, gap = _nearest(more)
            sure = gap > tolerance[rows]
            for group in range(groups):
                shares[rows][sure, group] = np.count_nonzero(number[sure] == group, axis=1) / draws
    return shares


def _seen(values: Floats, fitted: FittedMarker) -> tuple[Single, NDArray[np.intp]]:
    """As ``_drawn``, of a marker that is not drawn anew: one point."""
    known = transformed(values, fitted.transform)
    rows = np.where(np.isnan(known), fitted.median, known).astype(np.float32)
    return rows[:, np.newaxis], np.arange(len(rows))


def _drawn(marker: Redraws, fitted: FittedMarker) -> tuple[Single, NDArray[np.intp]]:
    """Transformed draws, (rows, draws), a row for each different variable and scale; and the row of each tenant."""
    scale = marker.times / marker.over
    different: dict[tuple[float, ...], int] = {}
    keys = zip(*marker.parameters.T.tolist(), scale.tolist(), strict=True)
    of = np.asarray([different.setdefault(key, len(different)) for key in keys], dtype=np.intp)
    rows = np.concatenate([marker.drawn(*parameters) for *parameters, _ in different]).reshape(len(different), -1)
    scales = np.asarray([key[-1] for key in different])
    rows *= scales[:, np.newaxis].astype(np.float32)
    if fitted.transform == "log1p":
        rows += 1
        np.log(rows, out=rows)
    rows[np.isnan(scales)] = fitted.median
    # No marker should be negative, but where one is, 1 + x may lose all its digits: the exact rule decides.
    rows[scales < 0] = np.nan
    return rows, of


def _nearest(more: Single) -> tuple[NDArray[np.int8], Single]:
    """The group of each draw, (tenants, draws), and of each tenant how near any other comes to it, (tenants,)."""
    if len(more) == 1:
        return (more[0] < 0).astype(np.int8), np.abs(more[0]).min(axis=1)
    number = np.zeros(more.shape[1:], dtype=np.int8)
    first, second = np.zeros_like(more[0]), np.full_like(more[0], np.inf)
    for group, distance in enumerate(more, start=1):
        number[distance < first] = group
        second = np.minimum(second, np.maximum(first, distance))
        first = np.minimum(first, distance)
    return number, (second - first).min(axis=1)
