"""The rule that puts a tenant into a group, as arrays; numpy alone, so that it also runs where models are served."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
