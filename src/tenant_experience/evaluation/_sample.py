"""The tenants of the test part on which the slow figures are measured: importance, and what missing features cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.models.encoding import Matrix

# Accuracy is then known to 1.4 points at worst (95%). Of fewer tenants, all are measured.
SAMPLED_TENANTS = 5_000


def sampled_rows(rows: ScoredRows, matrix: Matrix, count: int = SAMPLED_TENANTS) -> NDArray[np.intp]:
    """Places of ``count`` rows, spread evenly over the model's outputs; of all rows when there are no more.

    Neither the order of the rows nor the names of the tenants matter: rows are ordered by their outputs and then by
    all that the model knows of them, so rows that could change places are alike.

    Args:
        rows: outputs and labels of the test part.
        matrix: (rows, columns) as the model reads them.
        count: the size of the sample.
    """
    if len(rows) <= count:
        return np.arange(len(rows))
    order = np.lexsort((*matrix.T, rows.labels, rows.confidence))
    return order[((np.arange(count) + 0.5) * len(rows) / count).astype(np.intp)]
