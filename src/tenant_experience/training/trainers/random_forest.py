"""A random forest: the mean of deep trees, each grown on its own draw of the rows and the columns.

Source: "Random Forests in XGBoost" in XGBoost's documentation. One Newton step from a probability of 1/2 makes a leaf
the share of its rows that are of the class, moved and scaled, so the trees split as a forest's do and their mean is the
forest's vote. scikit-learn's forest cannot keep to directions where values are missing; XGBoost's can.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from tenant_experience.errors import UserError
from tenant_experience.training.trainer import Dataset, Objective, TrainedModel, TrainerSettings
from tenant_experience.use_case.labels import Task

_OBJECTIVES: dict[Task, str] = {
    "binary": "binary:logistic",
    "multiclass": "multi:softprob",
    "regression": "reg:squarederror",
}
# A leaf and its split take about 70 bytes of model.ubj (``python -m bench.trainers``), so this is about 18 MB.
_MOST_LEAVES = 1 << 18
_HALF = 0.5


class RandomForestSettings(TrainerSettings):
    """Hyperparameters by their names in XGBoost's or scikit-learn's interface.

    Attributes:
        n_estimators: how many trees, of each class where there are several.
        max_depth: levels of a tree.
        max_leaves: leaves of a tree.
        min_samples_leaf: rows in a leaf, at least.
        subsample: the share of the rows that a tree is grown on, drawn without returning them.
        colsample_bynode: the share of the columns that a split chooses from.
        max_bin: bins of a column.
    """

    n_estimators: int = Field(default=200, ge=1, le=2_000)
    max_depth: int = Field(default=12, ge=1, le=16)
    max_leaves: int = Field(default=256, ge=2, le=4_096)
    min_samples_leaf: int = Field(default=5, ge=1)
    subsample: float = Field(default=0.632, gt=0, le=1)
    colsample_bynode: float = Field(default=0.5, gt=0, le=1)
    max_bin: int = Field(default=64, ge=2, le=1_024)

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        if self.n_estimators * self.max_leaves > _MOST_LEAVES:
            raise ValueError(f"n_estimators times max_leaves must not be above {_MOST_LEAVES}")
        return self


class RandomForestTrainer:
    """See ``trainer.Trainer``."""

    settings = RandomForestSettings

    def train(
        self,
        train: Dataset,
        validation: Dataset,  # noqa: ARG002 - a forest is not stopped early
        columns: Sequence[str],
        objective: Objective,
        settings: RandomForestSettings,
    ) -> TrainedModel:
        """Grows all trees in one round, and writes each as a round of its own, which the checks of a model expect.

        Raises:
            UserError: ``bad_hyperparameter``: the forests of all classes together are too large.
        """
        import xgboost

        forests = objective.classes if objective.task == "multiclass" else 1
        if forests * settings.n_estimators * settings.max_leaves > _MOST_LEAVES:
            raise UserError(
                f"hyperparameters: {forests} classes times n_estimators={settings.n_estimators} times max_leaves="
                f"{settings.max_leaves} is above {_MOST_LEAVES}. Lower one of them in manifest.json or use_case.yaml",
                code="bad_hyperparameter",
            )
        grown = grow(train, columns, objective, settings)
        document = json.loads(grown.save_raw("json"))
        _one_tree_a_round(document["learner"]["gradient_booster"]["model"], forests, settings.n_estimators)
        booster = xgboost.Booster()
        booster.load_model(bytearray(json.dumps(document).encode()))
        return TrainedModel(bytes(booster.save_raw("ubj")), settings.n_estimators)


def grow(train: Dataset, columns: Sequence[str], objective: Objective, settings: RandomForestSettings) -> Any:
    """XGBoost's own booster of one round, in which every tree stands."""
    import xgboost

    rows = xgboost.QuantileDMatrix(
        train.matrix, train.labels, max_bin=settings.max_bin, missing=np.nan, nthread=1, feature_names=list(columns)
    )
    drawn = settings.model_dump(exclude={"n_estimators", "min_samples_leaf"})
    several = objective.task == "multiclass"
    return xgboost.train(
        drawn
        | {"objective": _OBJECTIVES[objective.task], "tree_method": "hist", "nthread": 1}
        | {"num_parallel_tree": settings.n_estimators, "learning_rate": 1, "reg_lambda": 0}
        | {"min_child_weight": settings.min_samples_leaf * _row_weight(objective)}
        | ({"base_score": _HALF} if objective.classes else {"base_score": float(train.labels.mean())})
        | ({"num_class": objective.classes} if several else {})
        | ({"monotone_constraints": objective.directions} if objective.directions else {}),
        rows,
        num_boost_round=1,
    )


def _row_weight(objective: Objective) -> float:
    """The second derivative that a row has in the only round, which is what XGBoost weighs a leaf by."""
    if objective.task == "multiclass":
        share = 1 / objective.classes
        return 2 * share * (1 - share)
    return _HALF * _HALF if objective.task == "binary" else 1.0


def _one_tree_a_round(model: dict[str, Any], forests: int, trees: int) -> None:
    """Puts the trees, of which each class has its own one after another, into rounds of one tree for each class."""
    order = [forest * trees + number for number in range(trees) for forest in range(forests)]
    model["trees"] = [model["trees"][place] | {"id": number} for number, place in enumerate(order)]
    model["tree_info"] = [model["tree_info"][place] for place in order]
    model["iteration_indptr"] = list(range(0, len(order) + 1, forests))
    model["gbtree_model_param"]["num_parallel_tree"] = "1"


TRAINER = RandomForestTrainer()
