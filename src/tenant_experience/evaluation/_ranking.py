"""How much each row moves the area under the ROC curve, and the average precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.ranks import average_ranks


def auc_influence(truth: NDArray[np.bool_], outputs: Floats) -> tuple[float, Floats]:
    """The area under the ROC curve, ties half, and how much each row moves it: DeLong's placements (1988).

    Args:
        truth: (rows,) with at least one row of each kind.
        outputs: (rows,).

    Returns:
        The area; (rows,) the derivative by the row's weight, times the number of rows.
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    ranks, placements = average_ranks(outputs), np.empty(len(truth))
    # The share of the other kind that a row beats.
    placements[truth] = (ranks[truth] - average_ranks(outputs[truth])) / negatives
    placements[~truth] = 1 - (ranks[~truth] - average_ranks(outputs[~truth])) / positives
    area = float(placements[truth].mean())
    return area, (placements - area) * len(truth) / np.where(truth, positives, negatives)


def precision_influence(truth: NDArray[np.bool_], outputs: Floats) -> tuple[float, Floats]:
    """The average precision, and how much each row moves it.

    Args:
        truth: (rows,) with at least one positive row.
        outputs: (rows,).

    Returns:
        The average precision; (rows,) the derivative by the row's weight, times the number of rows.
    """
    _, place, counts = np.unique(-outputs, return_inverse=True, return_counts=True)
    positive = np.bincount(place, truth)
    called, right, positives = np.cumsum(counts), np.cumsum(positive), float(truth.sum())
    precision = right / called
    value = float(positive @ precision) / positives
    # A row is among those called from its own place on: positive rows raise the precision there, all rows lower it.
    raised = np.cumsum((positive / called)[::-1])[::-1]
    lowered = np.cumsum((positive * right / called**2)[::-1])[::-1]
    moved = truth * (precision[place] + raised[place] - value) - lowered[place]
    return value, moved * len(truth) / positives
