"""The baseline: logistic regression for classes, ridge regression for numbers. Missing values count as the mean."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from tenant_experience.models.artifact import Scaling
from tenant_experience.models.encoding import Matrix
from tenant_experience.training.booster_format import linear_booster
from tenant_experience.training.trainer import Dataset, Objective, TrainedModel, TrainerSettings

_log = logging.getLogger("training")


class LinearSettings(TrainerSettings):
    """Hyperparameters.

    Attributes:
        alpha: strength of the penalty on squared weights: scikit-learn's ``alpha``, or its ``1 / C`` for classes.
        max_iter: the most steps of the solver; classes only.
    """

    alpha: float = Field(default=1, gt=0)
    max_iter: int = Field(default=1_000, ge=1, le=100_000)


class LinearTrainer:
    """See ``trainer.Trainer``."""

    settings = LinearSettings

    def train(
        self,
        train: Dataset,
        validation: Dataset,  # noqa: ARG002 - there is nothing to stop early
        columns: Sequence[str],
        objective: Objective,
        settings: LinearSettings,
    ) -> TrainedModel:
        """Finds the weights of the scaled columns."""
        scaling = _scaling(train.matrix)
        fitted = fit_estimator(np.nan_to_num(scaling.apply(train.matrix)), train.labels, objective, settings)
        rounds = int(np.max(fitted.n_iter_)) if objective.classes else 1
        if objective.classes and rounds >= settings.max_iter:
            _log.warning("the solver did not converge within max_iter=%d steps", rounds)
        weights, bias = np.atleast_2d(fitted.coef_).T, np.atleast_1d(fitted.intercept_)
        return TrainedModel(linear_booster(weights, bias, columns, objective), rounds, scaling)


def fit_estimator(scaled: Matrix, labels: Any, objective: Objective, settings: LinearSettings) -> Any:
    """The fitted estimator of scikit-learn, for columns without missing values."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from threadpoolctl import threadpool_limits

    model = (
        LogisticRegression(C=1 / settings.alpha, max_iter=settings.max_iter)
        if objective.classes
        else Ridge(alpha=settings.alpha)
    )
    with threadpool_limits(1):
        return model.fit(scaled.astype(np.float64), labels)


def _scaling(matrix: Matrix) -> Scaling:
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(matrix.astype(np.float64))
    return Scaling(centre=tuple(scaler.mean_.tolist()), scale=tuple(scaler.scale_.tolist()))


TRAINER = LinearTrainer()
