"""How accurate the published answer still is when features are missing: of a new tenant, or when a source is down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._intervals import finite_or_none
from tenant_experience.evaluation._weighted_metrics import weighted_metrics
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.features.table import FeatureTable
from tenant_experience.models.encoding import Encoding, Matrix
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import interval, resampled, wilson_interval

MOST_MISSING = 5
# So many are missing where a limit is set, or where two models are compared.
MISSING_FEATURES = 3
DRAWS = 8
RESAMPLES = 40
SEED = 2
_METRICS = {
    "binary": ("accuracy", "roc_auc"),
    "multiclass": ("accuracy", "roc_auc"),
    "regression": ("rmse", "r2"),
}


@dataclass(frozen=True)
class MissingFeatures:
    """What some missing features cost.

    Attributes:
        missing: the number of features hidden for each tenant.
        metrics: accuracy and roc_auc, or rmse and r2 of numbers: means over the draws; None where undefined.
        low: lower end of the 95% interval of the first metric: by Wilson of accuracy, by resampled tenants of rmse.
        high: its upper end.
    """

    missing: int
    metrics: dict[str, float | None]
    low: float | None
    high: float | None

    def document(self) -> dict[str, Any]:
        """The row as evaluation.json has it."""
        return {"missing": self.missing, **self.metrics, "low": self.low, "high": self.high}


def missing_feature_curve(
    encoding: Encoding, matrix: Matrix, score: Callable[[Matrix], ScoredRows]
) -> list[MissingFeatures]:
    """Hides 0, 1 ... 5 features of each tenant, other ones for each tenant and draw, and scores the tenants again.

    Args:
        encoding: says which columns belong to which feature.
        matrix: (rows, columns) of tenants of the test part.
        score: what is published about the rows of such a matrix; it leaves out rows that are not answered.

    Returns:
        A row for each number of missing features that is smaller than the number of features.
    """
    most = min(MOST_MISSING, len(encoding.features) - 1)
    return [_with_missing(missing, encoding, matrix, score) for missing in range(most + 1)]


def _with_missing(
    missing: int, encoding: Encoding, matrix: Matrix, score: Callable[[Matrix], ScoredRows]
) -> MissingFeatures:
    scored = [score(hidden) for hidden in _hidden(missing, encoding, matrix)]
    names = _METRICS[scored[0].task]
    scored = [rows for rows in scored if len(rows)]
    if not scored:
        return MissingFeatures(missing, dict.fromkeys(names), None, None)
    values = [weighted_metrics(rows, np.ones((1, len(rows)))) for rows in scored]
    means = {name: finite_or_none(float(np.mean([value[name] for value in values]))) for name in names}
    low, high = _bounds(scored, means[names[0]])
    return MissingFeatures(missing, means, low, high)


def _bounds(scored: Sequence[ScoredRows], mean: float | None) -> tuple[float | None, float | None]:
    """The interval of the first metric, of which ``mean`` is the mean over the draws.

    Draws are of the same tenants, so a share is as certain as one of so many tenants.
    """
    if mean is not None and scored[0].task != "regression":
        tenants = float(np.mean([len(rows) for rows in scored]))
        return wilson_interval(mean * tenants, tenants)
    low, high = interval(np.concatenate([_resampled(rows, "rmse") for rows in scored])) or (None, None)
    return low, high


def _resampled(rows: ScoredRows, name: str) -> Floats:
    return np.concatenate([weighted_metrics(rows, weights)[name] for weights in resampled(len(rows), RESAMPLES)])


def with_gaps(table: FeatureTable, features: Sequence[str], missing: int) -> FeatureTable:
    """The tenants with ``missing`` of ``features`` hidden, other ones of each tenant."""
    places = [table.features.index(name) for name in features]
    ranks = np.random.default_rng([SEED, missing]).random((len(table), len(places))).argsort(axis=1)
    values = table.values.copy()
    values[:, places] = np.where(ranks < missing, np.nan, values[:, places])
    return replace(table, values=values)


def _hidden(missing: int, encoding: Encoding, matrix: Matrix) -> Iterator[Matrix]:
    """The matrix with other features hidden in each draw; a single draw when no feature is hidden."""
    features = len(encoding.features)
    widths = np.diff([*encoding.first_columns, len(encoding.columns)])
    chance = np.random.default_rng([SEED, missing])
    for _ in range(DRAWS if missing else 1):
        ranks = chance.random((len(matrix), features)).argsort(axis=1)
        hidden: NDArray[np.bool_] = np.repeat(ranks < missing, widths, axis=1)
        yield np.where(hidden, np.float32(np.nan), matrix)
