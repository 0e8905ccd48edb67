"""Training for what service is like: features are missing there, so a model must have seen rows without them.

What it gains, and what it costs tenants of whom everything is known, is in decision 0013.
"""

from __future__ import annotations

import numpy as np

from tenant_experience.models.encoding import Encoding
from tenant_experience.training.trainer import Dataset


def with_masked_copy(data: Dataset, encoding: Encoding, share: float, chance: np.random.Generator) -> Dataset:
    """The rows, and once more with each feature hidden by a chance of its own; the columns of a category go together.

    Args:
        data: what is there.
        encoding: of its columns.
        share: how probable it is that a feature of a row is hidden; 0 returns the rows alone.
        chance: drawn from, by the number of rows and features only.
    """
    if share == 0:
        return data
    hidden = chance.random((len(data.matrix), len(encoding.features))) < share
    widths = np.diff([*encoding.first_columns, len(encoding.columns)])
    masked = np.where(np.repeat(hidden, widths, axis=1), np.float32(np.nan), data.matrix)
    return Dataset(np.vstack([data.matrix, masked]), np.concatenate([data.labels, data.labels]))
