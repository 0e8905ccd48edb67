"""Gradient boosted trees by XGBoost's histogram method, stopped early by the validation part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenant_experience.statistics.survival import LEAST_DAYS, Distribution
from tenant_experience.training.trainer import Dataset, Objective, TrainedModel, TrainerSettings
from tenant_experience.use_case.labels import Task

_OBJECTIVES: dict[Task, dict[str, str]] = {
    "binary": {"objective": "binary:logistic", "eval_metric": "logloss"},
    "multiclass": {"objective": "multi:softprob", "eval_metric": "mlogloss"},
    "regression": {"objective": "reg:squarederror", "eval_metric": "rmse"},
}
_NOT_BOOSTING = {
    "n_estimators",
    "early_stopping_rounds",
    "objective",
    "aft_loss_distribution",
    "aft_loss_distribution_scale",
}


class XGBoostSettings(TrainerSettings):
    """Hyperparameters by their names in XGBoost, with the bounds XGBoost documents.

    ``objective`` is for the days until an event: the accelerated failure time model, which learns from censored times,
    too. Without it, the objective follows from the task.
    """

    n_estimators: int = Field(default=400, ge=1, le=10_000)
    early_stopping_rounds: int = Field(default=30, ge=1)
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    max_depth: int = Field(default=5, ge=1, le=16)
    min_child_weight: float = Field(default=1, ge=0)
    gamma: float = Field(default=0, ge=0)
    subsample: float = Field(default=1, gt=0, le=1)
    colsample_bytree: float = Field(default=1, gt=0, le=1)
    reg_lambda: float = Field(default=1, ge=0)
    reg_alpha: float = Field(default=0, ge=0)
    max_bin: int = Field(default=64, ge=2, le=1_024)
    objective: Literal["survival:aft"] | None = None
    aft_loss_distribution: Distribution = "normal"
    aft_loss_distribution_scale: float = Field(default=1, gt=0, le=100)

    @property
    def distribution(self) -> Distribution | None:
        """See ``TrainerSettings``."""
        return self.aft_loss_distribution if self.objective else None


class XGBoostTrainer:
    """See ``trainer.Trainer``."""

    settings = XGBoostSettings

    def train(
        self,
        train: Dataset,
        validation: Dataset,
        columns: Sequence[str],
        objective: Objective,
        settings: XGBoostSettings,
    ) -> TrainedModel:
        """Fits the booster and keeps the trees up to the best round only, so that no caller has to know that round."""
        import xgboost

        options = {"missing": np.nan, "nthread": 1, "feature_names": list(columns)}
        # Rows of one label stand together: trees send them the same way more often, so that rounds take less time.
        order = np.argsort(train.labels, kind="stable")
        ordered = train.take(order)
        train_rows = xgboost.QuantileDMatrix(
            ordered.matrix, max_bin=settings.max_bin, **_truth(ordered, settings), **options
        )
        # Not in bins: the same predictions after every round, in half the time.
        validation_rows = xgboost.DMatrix(validation.matrix, **_truth(validation, settings), **options)
        booster = xgboost.train(
            settings.model_dump(exclude=_NOT_BOOSTING)
            | (_of_times(train, settings) if settings.objective else _OBJECTIVES[objective.task])
            | ({"num_class": objective.classes} if objective.task == "multiclass" else {})
            | ({"monotone_constraints": objective.directions} if objective.directions else {})
            | {"tree_method": "hist", "nthread": 1},
            train_rows,
            num_boost_round=settings.n_estimators,
            evals=[(validation_rows, "validation")],
            early_stopping_rounds=settings.early_stopping_rounds,
            verbose_eval=False,
        )
        rounds = booster.best_iteration + 1
        # These attributes (best round and score) describe the whole booster, not the trees that are kept.
        kept = booster[:rounds]
        kept.set_attr(best_iteration=None, best_score=None)
        return TrainedModel(bytes(kept.save_raw("ubj")), rounds)


def _truth(data: Dataset, settings: XGBoostSettings) -> dict[str, NDArray[np.float32]]:
    """The labels; of times until an event, the bounds between which each is.

    A time of 0 days is one within the first day: where a log has days and no hours, more is not known of it.
    """
    if settings.objective is None:
        return {"label": data.labels}
    censored = np.zeros(len(data.labels), dtype=bool) if data.censored is None else data.censored
    highest = np.where(data.labels > 0, data.labels, np.float32(1))
    return {
        "label_lower_bound": data.labels,
        "label_upper_bound": np.where(censored, np.float32(np.inf), highest).astype(np.float32),
    }


def _of_times(train: Dataset, settings: XGBoostSettings) -> dict[str, Any]:
    """Boosting starts from the geometric mean of the times, which is near the answer already."""
    start = float(np.exp(np.log(np.maximum(train.labels.astype(np.float64), LEAST_DAYS)).mean()))
    return {
        "objective": settings.objective,
        "eval_metric": "aft-nloglik",
        "aft_loss_distribution": settings.aft_loss_distribution,
        "aft_loss_distribution_scale": settings.aft_loss_distribution_scale,
        "base_score": start,
    }


TRAINER = XGBoostTrainer()
