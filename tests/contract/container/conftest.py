from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import xgboost

from tenant_experience.models.artifact import ModelManifest
from tests.model.serving_process import serving

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


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "one")


@pytest.fixture(scope="session")
def multi_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server of many models with 2 MiB for them, and requests of at most 1 MiB."""
    settings = {"SAGEMAKER_MULTI_MODEL": "true", "SERVING_MODEL_MEMORY_MIB": "2", "SERVING_MAX_PAYLOAD_MIB": "1"}
    with serving(tmp_path_factory.mktemp("multi"), **settings) as (client, _):
        yield client


@pytest.fixture
def loaded(multi_model: httpx.Client, model_folder: Path) -> Iterator[str]:
    """The name of a loaded model, unloaded afterwards."""
    assert multi_model.post("/models", json={"model_name": "m/1", "url": str(model_folder)}).status_code == 200
    yield "m/1"
    multi_model.delete("/models/m/1")
