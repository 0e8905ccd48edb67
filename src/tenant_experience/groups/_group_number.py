"""Whether three groups fit clearly better than the two that were asked for, or two better than three."""

from __future__ import annotations

import numpy as np

from tenant_experience.errors import AlgorithmError
from tenant_experience.groups.evidence import Evidence
from tenant_experience.groups.grouping import OtherNumber
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import pair_probabilities
from tenant_experience.use_case.group_limits import GroupLimits


def better_number(evidence: Evidence, copula_variance: float, limits: GroupLimits) -> OtherNumber | None:
    """The other number of groups, when it would pass the same checks and stands out more.

    More groups always explain more variance, so what counts is the excess over data without groups that has the same
    distributions and correlations. On generated tenants in two or three lots, and in none, the true number has the
    larger excess; where lots overlap so much that neither exceeds such data by ``continuum_margin``, nothing is said.

    Args:
        evidence: of the groups that were asked for.
        copula_variance: of the same.
        limits: of the use case.
    """
    excess = evidence.explained_variance() - copula_variance
    try:
        other = evidence.with_groups(5 - len(evidence.rule.centroids))
    except AlgorithmError:
        return None
    label = other.rule.assign(evidence.values)
    sizes = np.bincount(label.astype(np.int64), minlength=len(other.rule.centroids))
    least = max(limits.smallest_group, limits.smallest_share * len(label))
    if sizes.min() < least or not _is_ordered(other, label, limits.probability_worse):
        return None
    explained, without_groups = other.explained_variance(), other.copula_variance()
    if explained - without_groups <= max(excess, limits.continuum_margin):
        return None
    stability = other.stability()
    if stability.ari_median < limits.stability_median or stability.ari_minimum < limits.stability_minimum:
        return None
    worst = evidence.rule.assign(evidence.values) == len(evidence.rule.centroids) - 1
    return OtherNumber(
        sizes=tuple(sizes.tolist()),
        explained_variance=explained,
        copula_variance=without_groups,
        chosen_excess=excess,
        split=tuple(float(worst[label == group].mean()) for group in range(len(sizes))),
    )


def _is_ordered(other: Evidence, label: Floats, least: float) -> bool:
    """Whether each group is worse off than the one before on each marker."""
    groups = len(other.rule.centroids)
    for column, direction in zip(other.values.T, other.directions, strict=True):
        pairs = pair_probabilities(column, label, groups, direction)
        if any(pair is None or pair < least for pair in pairs):
            return False
    return True
