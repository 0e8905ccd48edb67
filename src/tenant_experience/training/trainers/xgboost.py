"""Gradient boosted trees by XGBoost's histogram method, stopped early by the validation part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from tenant_experience.training.trainer import Dataset, Objective, TrainedModel, TrainerSettings
from tenant_experience.use_case.labels import Task

_OBJECTIVES: dict[Task, dict[str, str]] = {
    "binary": {"objective": "binary:logistic", "eval_metric": "logloss"},
    "multiclass": {"objective": "multi:softprob", "eval_metric": "mlogloss"},
    "regression": {"objective": "reg:squarederror", "eval_metric": "rmse"},
}


class XGBoostSettings(TrainerSettings):
    """Hyperparameters by their names in XGBoost's scikit-learn interface, with the bounds XGBoost documents."""

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
        train_rows = xgboost.QuantileDMatrix(
            train.matrix[order], train.labels[order], max_bin=settings.max_bin, **options
        )
        # Not in bins: the same predictions after every round, in half the time.
        validation_rows = xgboost.DMatrix(validation.matrix, validation.labels, **options)
        booster = xgboost.train(
            settings.model_dump(exclude={"n_estimators", "early_stopping_rounds"})
            | _OBJECTIVES[objective.task]
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


TRAINER = XGBoostTrainer()
