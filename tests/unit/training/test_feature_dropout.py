"""A second copy of the rows with features hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tenant_experience.models.encoding import Encoding
from tenant_experience.models.scoring import Scorer
from tenant_experience.training._feature_dropout import with_dropout_copy
from tenant_experience.training.fit import fit
from tenant_experience.training.trainer import Dataset
from tests.support.fit_tasks import dataset, fit_task

ENCODING = Encoding(("calls", "state", "rate"), {"state": ("north", "south", "west")})
ROWS = Dataset(np.arange(10_000, dtype=np.float32).reshape(2_000, 5), np.arange(2_000, dtype=np.float32))


def with_copy(share: float, seed: int = 0) -> Dataset:
    return with_dropout_copy(ROWS, ENCODING, share, np.random.default_rng(seed))


def test_the_rows_stay_and_their_copy_loses_a_share_of_the_features() -> None:
    both = with_copy(0.3)
    assert np.array_equal(both.matrix[:2_000], ROWS.matrix)
    assert np.array_equal(both.labels, np.tile(ROWS.labels, 2))
    copy = both.matrix[2_000:]
    hidden = np.isnan(copy)
    assert np.array_equal(copy[~hidden], ROWS.matrix[~hidden])
    assert np.abs(hidden[:, [0, 1, 4]].mean(axis=0) - 0.3).max() < 0.05


def test_the_columns_of_a_category_are_hidden_together() -> None:
    hidden = np.isnan(with_copy(0.3).matrix[:, 1:4])
    assert np.array_equal(hidden.any(axis=1), hidden.all(axis=1))


def test_a_seed_says_what_is_hidden() -> None:
    assert np.array_equal(with_copy(0.3).matrix, with_copy(0.3).matrix, equal_nan=True)
    assert not np.array_equal(with_copy(0.3).matrix, with_copy(0.3, seed=1).matrix, equal_nan=True)
    assert with_copy(0) is ROWS


def test_a_model_trained_with_dropout_answers_better_where_features_are_missing() -> None:
    unseen, hidden = (dataset("binary", 3, 3_000, missing) for missing in (0, 0.4))
    whole = replace(
        fit_task("xgboost", "binary"), train=dataset("binary", 1, 2_000, 0), validation=dataset("binary", 2, 500, 0)
    )

    def right(feature_dropout: float, data: Dataset) -> float:
        fitted = fit(replace(whole, feature_dropout=feature_dropout))
        told = Scorer.of(fitted.content, fitted.manifest).outputs(data.matrix)
        return float(np.mean((told >= 0.5) == data.labels))

    assert right(0.3, hidden) > right(0, hidden) + 0.02
    assert right(0.3, unseen) > right(0, unseen) - 0.02
