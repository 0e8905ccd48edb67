"""Gradient boosted trees by scikit-learn's HistGradientBoosting, stopped early by the validation part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from tenant_experience.training.booster_format import tree, tree_booster
from tenant_experience.training.trainer import Dataset, Objective, TrainedModel, TrainerSettings


class HistGradientBoostingSettings(TrainerSettings):
    """Hyperparameters, with the names and bounds that scikit-learn documents."""

    max_iter: int = Field(default=400, ge=1, le=10_000)
    n_iter_no_change: int = Field(default=30, ge=1)
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    max_depth: int = Field(default=5, ge=1, le=16)
    max_leaf_nodes: int = Field(default=31, ge=2, le=65_536)
    min_samples_leaf: int = Field(default=20, ge=1)
    l2_regularization: float = Field(default=0, ge=0)
    max_features: float = Field(default=1, gt=0, le=1)
    max_bins: int = Field(default=64, ge=2, le=255)


class HistGradientBoostingTrainer:
    """See ``trainer.Trainer``."""

    settings = HistGradientBoostingSettings

    def train(
        self,
        train: Dataset,
        validation: Dataset,
        columns: Sequence[str],
        objective: Objective,
        settings: HistGradientBoostingSettings,
    ) -> TrainedModel:
        """Fits the trees, and keeps those up to the best round in XGBoost's format."""
        fitted = fit_estimator(train, validation, objective, settings)
        # The first score belongs to the model without any tree.
        rounds = 1 + int(np.argmax(fitted.validation_score_[1:]))
        return TrainedModel(tree_booster(_trees(fitted, rounds), columns, objective), rounds)


def fit_estimator(
    train: Dataset, validation: Dataset, objective: Objective, settings: HistGradientBoostingSettings
) -> Any:
    """The fitted estimator of scikit-learn, with all its rounds."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    estimator = HistGradientBoostingClassifier if objective.classes else HistGradientBoostingRegressor
    model = estimator(
        **settings.model_dump(exclude={"seed"}),
        monotonic_cst=objective.directions or None,
        random_state=settings.seed,
        early_stopping=True,
        scoring="loss",
    )
    with threadpool_limits(1):
        return model.fit(train.matrix, train.labels, X_val=validation.matrix, y_val=validation.labels)


def _trees(fitted: Any, rounds: int) -> list[list[dict[str, Any]]]:
    """The first ``rounds`` rounds. The model's answer without any tree is added to the leaves of the first trees."""
    # Private attributes: there is no other way to the trees. The tests compare with the public interface's predictions.
    none = np.zeros_like(fitted._baseline_prediction.ravel())
    return [
        [
            _tree(predictor.nodes, base)
            for predictor, base in zip(predictors, none if number else fitted._baseline_prediction.ravel(), strict=True)
        ]
        for number, predictors in enumerate(fitted._predictors[:rounds])
    ]


def _tree(nodes: Any, base: float) -> dict[str, Any]:
    return tree(
        left=nodes["left"],
        right=nodes["right"],
        column=nodes["feature_idx"],
        highest_left=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"].astype(bool),
        leaf=nodes["is_leaf"].astype(bool),
        value=nodes["value"] + base,
        rows=nodes["count"],
    )


TRAINER = HistGradientBoostingTrainer()
