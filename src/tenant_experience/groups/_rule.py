"""The rule that puts a tenant into a group, as arrays; numpy alone, so that it also runs where models are served."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import impute


@dataclass(frozen=True)
class Space:
    """Where distances are measured: what fills a gap, and what standardises; each of shape (markers,)."""

    medians: Floats
    means: Floats
    deviations: Floats

    @classmethod
    def of(cls, raw: Floats) -> Space:
        """The space of (rows, markers) transformed values; a marker that does not vary keeps its scale."""
        medians = np.nanmedian(raw, axis=0)
        filled = impute(raw, medians)
        deviations = filled.std(axis=0)
        return cls(medians, filled.mean(axis=0), np.where(deviations > 0, deviations, 1.0))

    def standardise(self, raw: Floats) -> Floats:
        """(rows, markers) transformed values, NaN where unknown, as they are compared."""
        return (impute(raw, self.medians) - self.means) / self.deviations


@dataclass(frozen=True)
class Mixture:
    """Normal distributions around the centroids, independent in each marker.

    Attributes:
        weights: (groups,) the share of tenants each stands for.
        variances: (groups, markers) standardised.
    """

    weights: Floats
    variances: Floats


@dataclass(frozen=True)
class GroupRule:
    """Groups, from the best off to the worst off.

    Attributes:
        space: where they lie.
        centroids: (groups, markers) standardised.
        mixture: with it the likeliest group takes a tenant, without it the nearest centroid.
    """

    space: Space
    centroids: Floats
    mixture: Mixture | None = None

    def assign(self, raw: Floats) -> Floats:
        """The group's number of each row of (rows, markers) transformed values; of two as near, the better one."""
        return self.place(self.space.standardise(raw))

    def place(self, standardised: Floats) -> Floats:
        """As ``assign``, of rows that are standardised already."""
        if self.mixture is None:
            distances = [((standardised - centroid) ** 2).sum(axis=1) for centroid in self.centroids]
        else:
            distances = [
                ((standardised - centroid) ** 2 / variances).sum(axis=1) + np.log(variances).sum() - 2 * np.log(weight)
                for centroid, variances, weight in zip(
                    self.centroids, self.mixture.variances, self.mixture.weights, strict=True
                )
            ]
        nearest: Floats = np.argmin(distances, axis=0).astype(np.float64)
        return nearest

    def runner_up(self, standardised: Floats, group: NDArray[np.intp]) -> NDArray[np.intp]:
        """(rows,) the group, other than the row's own ``group``, that would take it next."""
        parts, constants = self._half_distances(standardised)
        distances = parts.sum(axis=2) + constants[:, np.newaxis]
        distances[group, np.arange(len(group))] = np.inf
        return np.asarray(np.argmin(distances, axis=0))

    def advantage(
        self, standardised: Floats, group: NDArray[np.intp], other: NDArray[np.intp]
    ) -> tuple[Floats, Floats]:
        """Why a row is in ``group`` rather than in ``other``, exactly.

        With centroids alone, a marker adds (c - d) * (x - (c + d) / 2), where c and d are those of the two groups. With
        a mixture, all together are the logarithm of how much likelier ``group`` is.

        Args:
            standardised: (rows, markers), none missing.
            group: (rows,) numbers of groups.
            other: (rows,) likewise.

        Returns:
            What each marker adds, (rows, markers), and what the groups' sizes add, (rows,). Where their sum is
            positive, the rule prefers ``group``.
        """
        parts, constants = self._half_distances(standardised)
        rows = np.arange(len(standardised))
        return parts[other, rows] - parts[group, rows], constants[other] - constants[group]

    def _half_distances(self, standardised: Floats) -> tuple[Floats, Floats]:
        """Half of what ``place`` compares: what is of each marker, (groups, rows, markers), and the rest, (groups,)."""
        squared = (standardised - self.centroids[:, np.newaxis]) ** 2
        if self.mixture is None:
            return squared / 2, np.zeros(len(self.centroids))
        variances = self.mixture.variances[:, np.newaxis]
        return (squared / variances + np.log(variances)) / 2, -np.log(self.mixture.weights)
