"""Gradient boosted trees by XGBoost's histogram method, stopped early by the validation part."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenant_experience.errors import UserError
from tenant_experience.trainer import Dataset, Objective, TrainedModel
from tenant_experience.use_case import Task

_log = logging.getLogger("training")
_OBJECTIVES: dict[Task, dict[str, str]] = {
    "binary": {"objective": "binary:logistic", "eval_metric": "logloss"},
    "multiclass": {"objective": "multi:softprob", "eval_metric": "mlogloss"},
    "regression": {"objective": "reg:squarederror", "eval_metric": "rmse"},
}


class XGBoostSettings(BaseModel):
    """Hyperparameters by their names in XGBoost's scikit-learn interface, with the bounds XGBoost documents."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

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
    max_bin: int = Field(default=256, ge=2, le=1_024)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)


class XGBoostTrainer:
    """See ``trainer.Trainer``."""

    def settings(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Parses and checks the job's strings.

        Raises:
            UserError: ``unknown_hyperparameter`` or ``bad_hyperparameter``, naming each and what is allowed.
        """
        unknown = sorted(set(given) - set(XGBoostSettings.model_fields))
        if unknown:
            raise UserError(
                f"hyperparameters {', '.join(unknown)} are not known to the trainer xgboost; known are "
                f"{', '.join(XGBoostSettings.model_fields)}. Mend manifest.json or use_case.yaml",
                code="unknown_hyperparameter",
            )
        try:
            return XGBoostSettings.model_validate(dict(given)).model_dump()
        except ValidationError as error:
            faults = "; ".join(f"{fault['loc'][0]}={fault['input']!r}: {fault['msg']}" for fault in error.errors())
            raise UserError(
                f"hyperparameters: {faults}. Mend manifest.json or use_case.yaml", code="bad_hyperparameter"
            ) from error

    def train(
        self,
        train: Dataset,
        validation: Dataset,
        columns: Sequence[str],
        objective: Objective,
        settings: Mapping[str, Any],
        threads: int,
    ) -> TrainedModel:
        """Fits the booster; only the trees up to the best round are kept, so that no caller has to know it."""
        import xgboost

        tree_settings = {
            key: value for key, value in settings.items() if key not in ("n_estimators", "early_stopping_rounds")
        }
        options = {"missing": np.nan, "nthread": threads, "feature_names": list(columns)}
        learned = xgboost.QuantileDMatrix(train.matrix, train.labels, max_bin=settings["max_bin"], **options)
        watched = xgboost.QuantileDMatrix(validation.matrix, validation.labels, ref=learned, **options)
        booster = xgboost.train(
            tree_settings
            | _OBJECTIVES[objective.task]
            | ({"num_class": objective.classes} if objective.task == "multiclass" else {})
            | {"tree_method": "hist", "nthread": threads},
            learned,
            num_boost_round=settings["n_estimators"],
            evals=[(watched, "validation")],
            early_stopping_rounds=settings["early_stopping_rounds"],
            verbose_eval=False,
        )
        rounds = booster.best_iteration + 1
        _log.info("kept %d of at most %d trees, loss %.5f", rounds, settings["n_estimators"], booster.best_score)
        # Attributes (best round and score) are of the whole booster, not of the trees kept.
        kept = booster[:rounds]
        kept.set_attr(best_iteration=None, best_score=None)
        return TrainedModel(bytes(kept.save_raw("ubj")), rounds, float(booster.best_score))
