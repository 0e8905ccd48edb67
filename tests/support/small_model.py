"""A small model of ours in a folder, for the container that serves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xgboost

from tenant_experience.models.artifact import ModelManifest

FEATURES = ("work_order_count", "mean_first_response_hr", "answer_rate")


def write_model(folder: Path, version: str = "r1", trees: int = 5) -> Path:
    """A small model of ours: bad when the first two features together are large."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(0)
    matrix = chance.normal(size=(400, len(FEATURES))).astype(np.float32)
    data = xgboost.DMatrix(matrix, matrix[:, 0] + matrix[:, 1] > 0, feature_names=list(FEATURES))
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, data, trees)
    booster.save_model(folder / "model.ubj")
    ModelManifest(
        partition="all",
        slug="all",
        version=version,
        trainer="xgboost",
        features=FEATURES,
        scale="global",
        as_of="2026-11-01T00:00:00Z",
        hyperparameters={},
        code_version="1",
    ).write(folder)
    return folder
