"""Small tasks of fitting, for every trainer and every task."""

from __future__ import annotations

import numpy as np

from tenant_experience.models.artifact import ModelManifest
from tenant_experience.training.fit import FitTask
from tenant_experience.training.trainer import Dataset, parse_settings
from tenant_experience.training.training import trainer_named
from tenant_experience.use_case.labels import Task

COLUMNS = ("calls", "hours", "rate", "noise")


SEQUENCES = {"recurrent_network": {"load": ("noise", "calls")}}


CLASSES = {"binary": 2, "multiclass": 3, "regression": 0}


FEW = {
    "xgboost": {"n_estimators": 40},
    "hist_gradient_boosting": {"max_iter": 40},
    "random_forest": {"n_estimators": 40},
    "recurrent_network": {"epochs": 12},
}


def dataset(task: Task, seed: int, rows: int = 700, missing: float = 0.1) -> Dataset:
    """Rows whose label the first three columns decide, with noise; a share of the values is missing."""
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(rows, len(COLUMNS))).astype(np.float32)
    number = 2 * matrix[:, 0] - matrix[:, 1] + matrix[:, 2] ** 2 + chance.normal(0, 0.5, rows)
    labels = number if task == "regression" else np.digitize(number, {"binary": [1], "multiclass": [0, 2]}[task])
    matrix[chance.random(matrix.shape) < missing] = np.nan
    return Dataset(matrix, labels.astype(np.float32))


def fit_task(name: str, task: Task, feature_dropout: float = 0.0) -> FitTask:
    settings = parse_settings(name, trainer_named(name), FEW.get(name, {}))
    manifest = ModelManifest(
        partition="all",
        slug="all",
        version="r1",
        trainer=name,
        task=task,
        features=COLUMNS,
        sequences=SEQUENCES.get(name, {}),
        labels=("low", "middle", "high")[: CLASSES[task]],
        positive_label=None,
        scale="global",
        as_of="2026-11-01T00:00:00Z",
        hyperparameters=settings.model_dump(),
        code_version="1",
    )
    return FitTask(trainer_named(name), settings, manifest, dataset(task, 1), dataset(task, 2, 300), feature_dropout)
