"""Small models of every kind of label, of numbers and a category."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xgboost

from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.encoding import Encoding
from tenant_experience.use_case.labels import Task

PLANS = ("basic", "gold", "none")
ENCODING = Encoding(("minutes", "plan", "calls"), {"plan": PLANS})
LABELS: dict[Task, tuple[str, ...]] = {
    "binary": ("stays", "leaves"),
    "multiclass": ("low", "middle", "high"),
    "regression": (),
}
OBJECTIVES: dict[Task, str] = {
    "binary": "binary:logistic",
    "multiclass": "multi:softprob",
    "regression": "reg:squarederror",
}


def write_model(folder: Path, task: Task) -> Path:
    """Gold and many minutes make for more of everything."""
    chance = np.random.default_rng(0)
    plan = chance.integers(0, 3, 600)
    minutes = chance.uniform(0, 100, 600)
    matrix = np.column_stack([minutes, *(plan == number for number in range(3)), chance.poisson(3, 600)])
    total = minutes + 60 * (plan == 1)
    label = {"binary": total > 80, "multiclass": np.digitize(total, [50, 100]), "regression": total}[task]
    parameters = {"objective": OBJECTIVES[task], "nthread": 1, "max_depth": 3}
    data = xgboost.DMatrix(matrix.astype(np.float32), label, feature_names=list(ENCODING.columns))
    folder.mkdir(parents=True)
    xgboost.train(parameters | ({"num_class": 3} if task == "multiclass" else {}), data, 20).save_model(
        folder / "model.ubj"
    )
    ModelManifest(
        partition="dimension1",
        slug="dimension1",
        version="r1",
        trainer="xgboost",
        task=task,
        features=ENCODING.features,
        categories=dict(ENCODING.categories),
        labels=LABELS[task],
        positive_label="leaves" if task == "binary" else None,
        scale="local",
        as_of="2026-11-01T00:00:00Z",
        hyperparameters={},
        code_version="1",
    ).write(folder)
    return folder
