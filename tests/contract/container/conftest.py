from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.serving_process import serving
from tests.support.small_model import write_model


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
