"""How badly off a tenant is by rank, and whether one group is worse off than another: the rules that name groups.

Ranks, because hours and counts have long tails: a single bad week must not decide a tenant's score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats


def average_ranks(values: NDArray[np.floating]) -> Floats:
    """Ranks from 1 to n, ascending, ties sharing their mean rank; shape (n,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: Floats = np.cumsum(counts) - (counts - 1) / 2
    return middle[inverse]


def impute(matrix: Floats, medians: Floats) -> Floats:
    """The (rows, columns) matrix with each NaN replaced by its column's median."""
    return np.where(np.isnan(matrix), medians, matrix)


def severity_scores(matrix: Floats, directions: Sequence[int]) -> Floats:
    """The score s of each row: mean over the markers of direction x (rank / n - 1/2); higher is worse.

    Args:
        matrix: (rows, markers); NaN counts as the median of its column.
        directions: +1 when more of a marker is worse, -1 when more is better.

    Returns:
        Shape (rows,), between -1/2 and 1/2.
    """
    filled = impute(matrix, np.nanmedian(matrix, axis=0))
    terms = [
        direction * (average_ranks(filled[:, column]) / len(filled) - 0.5)
        for column, direction in enumerate(directions)
    ]
    return np.mean(terms, axis=0)  # type: ignore[no-any-return]


def thirds(scores: Floats) -> NDArray[np.int8]:
    """0 for the lowest third of the scores, 1 for the middle, 2 for the highest; equal scores fall by row order."""
    order = np.argsort(scores, kind="stable")
    third = np.empty(len(scores), dtype=np.int8)
    third[order] = np.arange(len(scores)) * 3 // max(len(scores), 1)
    return third


def probability_worse(values: Floats, bad: NDArray[np.bool_], direction: int) -> float | None:
    """P(a tenant of the bad group is worse than one of the other), ties counted half: the area under the ROC curve.

    Args:
        values: the feature; NaN is ignored.
        bad: which rows belong to the bad group.
        direction: +1 or -1; 0 (neither) counts as +1, "has more of it".

    Returns:
        Between 0 and 1, or None when one of the groups has no value.
    """
    known = ~np.isnan(values)
    bad_count = int(np.count_nonzero(bad & known))
    other_count = int(np.count_nonzero(~bad & known))
    if not bad_count or not other_count:
        return None
    ranks = average_ranks((direction or 1) * values[known])
    wins = ranks[bad[known]].sum() - bad_count * (bad_count + 1) / 2
    return float(wins / (bad_count * other_count))


def pair_probabilities(values: Floats, label: Floats, groups: int, direction: int) -> list[float | None]:
    """``probability_worse`` of each pair of neighbouring groups; ``label`` numbers the groups from the best off."""
    pairs = []
    for better in range(groups - 1):
        two = (label == better) | (label == better + 1)
        pairs.append(probability_worse(values[two], label[two] == better + 1, direction))
    return pairs
