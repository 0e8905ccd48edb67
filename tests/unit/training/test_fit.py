"""What a model is fitted to: who is watched to stop it, and who calibrates it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from tenant_experience.models.calibration import fit_calibration, loss
from tenant_experience.models.scoring import Scorer
from tenant_experience.training import fit as fitting
from tenant_experience.training._feature_dropout import with_dropout_copy
from tenant_experience.training.fit import fit
from tenant_experience.training.trainer import Dataset, TrainedModel
from tenant_experience.training.trainers.xgboost import XGBoostTrainer
from tests.support.fit_tasks import dataset, fit_task


@dataclass(frozen=True)
class Recorder(XGBoostTrainer):
    """Keeps the rows that it is given."""

    watched: list[Dataset] = field(default_factory=list)

    def train(self, train: Dataset, validation: Dataset, *others: Any) -> TrainedModel:
        self.watched.append(validation)
        return super().train(train, validation, *others)


@pytest.mark.parametrize(("feature_dropout", "copies"), [(0.0, 1), (0.3, 2)])
@pytest.mark.parametrize(("most", "watched"), [(100, 100), (300, 300), (1_000, 300)])
def test_some_of_many_tenants_stop_the_training_and_all_are_measured(
    monkeypatch: pytest.MonkeyPatch, feature_dropout: float, copies: int, most: int, watched: int
) -> None:
    monkeypatch.setattr(fitting, "MOST_WATCHED", most)
    recorder = Recorder()
    task = replace(fit_task("xgboost", "binary", feature_dropout), trainer=recorder)
    fitted = fit(task)
    # The same draws: the training part's come first.
    chance, encoding = np.random.default_rng(task.settings.seed), task.manifest.encoding
    with_dropout_copy(task.train, encoding, feature_dropout, chance)
    whole = with_dropout_copy(task.validation, encoding, feature_dropout, chance)
    places = np.concatenate([np.arange(watched) + 300 * copy for copy in range(copies)])
    np.testing.assert_array_equal(recorder.watched[0].matrix, whole.matrix[places])
    np.testing.assert_array_equal(recorder.watched[0].labels, whole.labels[places])
    scorer = Scorer.of(fitted.content, fitted.manifest)
    assert fitted.record.validation_loss == loss(scorer.outputs(whole.matrix), whole.labels, 2)
    assert fitted.manifest.calibration == fit_calibration(
        scorer.margins(task.validation.matrix), task.validation.labels
    )


def test_the_order_of_the_rows_hardly_changes_the_answers() -> None:
    task = fit_task("xgboost", "binary")
    turned = replace(task, train=Dataset(task.train.matrix[::-1].copy(), task.train.labels[::-1].copy()))
    unseen = dataset("binary", 5)
    first, second = (
        Scorer.of(fitted.content, fitted.manifest).outputs(unseen.matrix) for fitted in (fit(task), fit(turned))
    )
    np.testing.assert_allclose(first, second, atol=1e-4)
