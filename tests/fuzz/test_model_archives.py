"""A damaged model is refused, or answers as before; it never kills the server, and never keeps it from answering.

Somebody who changes an archive can make its digests fit. Then the archive alone cannot tell, but the digest in the
registry can: PublishRelease compares it, every request of the API carries it, and another model does not answer.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tenant_experience.models.digests import difference
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


def registered_digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()


def outcome(client: httpx.Client, folder: Path, body: dict[str, Any], digest: str) -> tuple[int, Any, int, Any]:
    """Status and answer without a digest, as the archive alone decides, and then as the API asks, with the digest."""
    loaded = client.post("/models", json={"model_name": "m", "url": str(folder)})
    if loaded.status_code != 200:
        return (loaded.status_code, None) * 2
    alone = client.post("/models/m/invoke", json=body)
    expected = {"X-Amzn-SageMaker-Custom-Attributes": f"model-json-sha256={digest}"}
    asked = client.post("/models/m/invoke", json=body, headers=expected)
    assert client.delete("/models/m").status_code == 200
    return *_read(alone), *_read(asked)


def _read(answer: httpx.Response) -> tuple[int, Any]:
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
    digests = {name: registered_digest(folder) for name, folder in models.items()}
    right = {name: outcome(server, folder, bodies[name], digests[name]) for name, folder in models.items()}
    assert {status for each in right.values() for status in (each[0], each[2])} == {200}
    endings: Counter[str] = Counter()
    registered: Counter[str] = Counter()
    wrong = []
    for number in range(count):
        name = sorted(models)[number % len(models)]
        folder = tmp_path / "damaged"
        shutil.copytree(models[name], folder)
        damaged = damage(SEED, number, folder, recompute=recompute)
        status, answer, status_asked, answer_asked = outcome(server, folder, bodies[name], digests[name])
        if (difference(folder, digests[name]) is None) != (status_asked == 200):
            wrong.append((number, name, damaged, "PublishRelease and the container disagree"))
        if status_asked in (400, 412):
            registered[f"refused with {status_asked}"] += 1
        elif (status_asked, answer_asked) == right[name][2:]:
            registered["equal"] += 1
        else:
            wrong.append((number, name, damaged, status_asked, answer_asked))
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
    print({"archive alone": dict(endings), "with the registry": dict(registered)})  # noqa: T201 - a full run's figures
    assert wrong == []
    assert sum(registered.values()) == count
    assert server.get("/ping").status_code == 200


def test_a_model_from_before_digests_still_loads(models: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(models["groups"], tmp_path / "m")
    document = json.loads((tmp_path / "m" / "model.json").read_text())
    del document["files"], document["sha256"]
    (tmp_path / "m" / "model.json").write_text(json.dumps(document))
    assert Scorer.load(tmp_path / "m").manifest == Scorer.load(models["groups"]).manifest
