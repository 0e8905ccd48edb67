"""A damaged model is refused, or answers as before; it never kills the server, and never keeps it from answering."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tenant_experience.models.scoring import Scorer
from tenant_experience.training.fit import fit
from tests.fuzz.mutated_models import damage
from tests.support.fit_tasks import FEW, fit_task
from tests.support.judged_partition import judged_groups
from tests.support.serving_process import serving

SEED = 11
COUNTS = [60, pytest.param(1_000, marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind of model: groups, and each trainer and task."""
    base = tmp_path_factory.mktemp("models")
    folders = {"groups": base / "groups"}
    judged_groups(folders["groups"])
    for trainer in FEW:
        for task in ("binary", "multiclass", "regression"):
            folders[f"{trainer}-{task}"] = base / f"{trainer}-{task}"
            given = fit_task(trainer, task)
            fit(given).write(folders[f"{trainer}-{task}"])
    return folders


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("server"), SAGEMAKER_MULTI_MODEL="true") as (client, process):
        yield client
        assert process.poll() is None


def requests(folder: Path) -> list[dict[str, Any]]:
    """Ordinary, extreme and missing values of every feature."""
    features = json.loads((folder / "model.json").read_text())["features"]
    chance = np.random.default_rng(3)
    rows = [*chance.normal(0, 3, (40, len(features))).tolist(), [0.0] * len(features), [1e30] * len(features)]
    known = [{"features": dict(zip(features, row, strict=True)), "exposure_days": 300} for row in rows]
    return [*known, {"features": {}}]


def outcome(client: httpx.Client, folder: Path, body: dict[str, Any]) -> tuple[int, Any]:
    loaded = client.post("/models", json={"model_name": "m", "url": str(folder)})
    if loaded.status_code != 200:
        return loaded.status_code, None
    answer = client.post("/models/m/invoke", json=body)
    assert client.delete("/models/m").status_code == 200
    return answer.status_code, answer.json() if answer.status_code == 200 else answer.text


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("recompute", [False, True], ids=["digest left", "digest recomputed"])
def test_a_damaged_model_is_refused_or_answers_as_before(
    server: httpx.Client, models: dict[str, Path], tmp_path: Path, count: int, recompute: bool
) -> None:
    bodies = {
        name: {"instances": requests(folder), "explain": True, "ignore_unknown_features": True}
        for name, folder in models.items()
    }
    right = {name: outcome(server, folder, bodies[name]) for name, folder in models.items()}
    assert {status for status, _ in right.values()} == {200}
    endings: Counter[str] = Counter()
    wrong = []
    for number in range(count):
        name = sorted(models)[number % len(models)]
        folder = tmp_path / "damaged"
        shutil.copytree(models[name], folder)
        damaged = damage(SEED, number, folder, recompute=recompute)
        status, answer = outcome(server, folder, bodies[name])
        if status == 400:
            endings["refused"] += 1
        elif status == 200:
            equal = answer == right[name][1]
            endings["equal" if equal else f"another valid model, {damaged}"] += 1
            if not equal and not recompute:
                wrong.append((number, name, damaged))
        else:
            wrong.append((number, name, damaged, status, answer))
        shutil.rmtree(folder)
    print(dict(endings))  # noqa: T201 - the figures of a full run
    assert wrong == []
    assert server.get("/ping").status_code == 200


def test_a_model_from_before_digests_still_loads(models: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(models["groups"], tmp_path / "m")
    document = json.loads((tmp_path / "m" / "model.json").read_text())
    del document["files"], document["sha256"]
    (tmp_path / "m" / "model.json").write_text(json.dumps(document))
    assert Scorer.load(tmp_path / "m").manifest == Scorer.load(models["groups"]).manifest
