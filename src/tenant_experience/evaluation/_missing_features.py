"""What is left of a model's accuracy when features are missing: of a new tenant, or when a source is down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._intervals import finite_or_none
from tenant_experience.evaluation._scored_rows import ScoredRows
from tenant_experience.evaluation._weighted_metrics import weighted_metrics
from tenant_experience.models.encoding import Encoding, Matrix
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import interval, resampled

MOST_MISSING = 5
DRAWS = 8
RESAMPLES = 40
SEED = 2
_METRICS = {
    "binary": ("accuracy", "roc_auc"),
    "multiclass": ("accuracy", "roc_auc"),
    "regression": ("rmse", "r2"),
}


def missing_feature_curve(
    encoding: Encoding, matrix: Matrix, score: Callable[[Matrix], ScoredRows]
) -> list[dict[str, Any]]:
    """Hides 0, 1 ... 5 features of each tenant, drawn anew for each tenant and draw, and scores what is left.

    Args:
        encoding: which columns are whose.
        matrix: (rows, columns) of the test part.
        score: what the model says of such a matrix.

    Returns:
        For each number of missing features (fewer than there are): missing, accuracy and roc_auc (rmse and r2 of
        numbers), means over the draws; low and high of the first, over draws and resampled tenants.
    """
    most = min(MOST_MISSING, len(encoding.features) - 1)
    return [_with_missing(missing, encoding, matrix, score) for missing in range(most + 1)]


def _with_missing(
    missing: int, encoding: Encoding, matrix: Matrix, score: Callable[[Matrix], ScoredRows]
) -> dict[str, Any]:
    scored = [score(hidden) for hidden in _hidden(missing, encoding, matrix)]
    whole = np.ones((1, len(matrix)))
    values = [weighted_metrics(rows, whole) for rows in scored]
    first, second = _METRICS[scored[0].task]
    spread = [_resampled(rows, first) for rows in scored]
    bounds = interval(np.concatenate(spread))
    return {
        "missing": missing,
        **{name: finite_or_none(float(np.mean([value[name] for value in values]))) for name in (first, second)},
        **dict(zip(("low", "high"), bounds or (None, None), strict=True)),
    }


def _resampled(rows: ScoredRows, name: str) -> Floats:
    return np.concatenate([weighted_metrics(rows, weights)[name] for weights in resampled(len(rows), RESAMPLES)])


def _hidden(missing: int, encoding: Encoding, matrix: Matrix) -> Iterator[Matrix]:
    """The matrix with other features hidden in each draw; one draw when none is."""
    features = len(encoding.features)
    widths = np.diff([*encoding.first_columns, len(encoding.columns)])
    chance = np.random.default_rng([SEED, missing])
    for _ in range(DRAWS if missing else 1):
        ranks = chance.random((len(matrix), features)).argsort(axis=1)
        hidden: NDArray[np.bool_] = np.repeat(ranks < missing, widths, axis=1)
        yield np.where(hidden, np.float32(np.nan), matrix)
