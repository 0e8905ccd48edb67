"""Training for the conditions of service: features are missing there, so a model must have seen rows without them.

Decision 0013 says what this gains, and what it costs tenants whose features are all known.
"""

from __future__ import annotations

import numpy as np

from tenant_experience.models.encoding import Encoding
from tenant_experience.training.trainer import Dataset


def with_dropout_copy(data: Dataset, encoding: Encoding, share: float, chance: np.random.Generator) -> Dataset:
    """The rows, followed by a copy of them in which features are hidden at random.

    All columns of a category are hidden together.

    Args:
        data: the rows.
        encoding: says which columns belong to which feature.
        share: the probability that a feature of a row is hidden; 0 returns the rows without a copy.
        chance: is drawn from; how much is drawn depends on the number of rows and features only.
    """
    if share == 0:
        return data
    hidden = chance.random((len(data.matrix), len(encoding.features))) < share
    widths = np.diff([*encoding.first_columns, len(encoding.columns)])
    copy = np.where(np.repeat(hidden, widths, axis=1), np.float32(np.nan), data.matrix)
    censored = None if data.censored is None else np.tile(data.censored, 2)
    return Dataset(np.vstack([data.matrix, copy]), np.concatenate([data.labels, data.labels]), censored)
