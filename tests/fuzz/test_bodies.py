"""Whatever a client sends to a model, the answer is never a 5xx, and the server lives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tenant_experience.models.artifact import read_manifest
from tenant_experience.training.fit import fit
from tests.fuzz.mutated_bodies import body
from tests.support.fit_tasks import fit_task
from tests.support.judged_partition import judged_groups
from tests.support.serving_process import serving

SEED = 5
LINES = "application/jsonlines"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, dict[str, tuple[str, ...]]]]:
    """A server with a model of each way to answer, and the features of each."""
    base = tmp_path_factory.mktemp("models")
    judged_groups(base / "groups")
    fit(fit_task("linear", "regression")).write(base / "linear")
    fit(fit_task("xgboost", "multiclass")).write(base / "several")
    names = ("groups", "linear", "several")
    with serving(Path(tmp_path_factory.mktemp("server")), SAGEMAKER_MULTI_MODEL="true") as (client, process):
        for name in names:
            assert client.post("/models", json={"model_name": name, "url": str(base / name)}).status_code == 200
        yield client, {name: read_manifest(base / name).features for name in names}
        assert process.poll() is None


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=pytest.mark.slow)])
def test_no_body_makes_a_server_error(server: tuple[httpx.Client, dict[str, tuple[str, ...]]], count: int) -> None:
    client, models = server
    statuses: Counter[int] = Counter()
    wrong = []
    for number in range(count):
        name = sorted(models)[number % len(models)]
        kind, content = body(SEED, number, models[name])
        accept = kind if kind == LINES else ("application/json", "text/csv")[number % 2]
        answer = client.post(
            f"/models/{name}/invoke", content=content, headers={"content-type": kind, "accept": accept}
        )
        statuses[answer.status_code] += 1
        expected = answer.status_code in ((200, 204) if kind == LINES else (200, 204, 400, 415))
        if not expected or (kind == LINES and answer.content.count(b"\n") != lines_of(content)):
            wrong.append((number, name, kind, answer.status_code, content[:200]))
    print(dict(statuses))  # noqa: T201 - the figures of a full run
    assert wrong == []
    assert client.get("/ping").status_code == 200
    assert {200, 400, 415} <= statuses.keys()


def lines_of(content: bytes) -> int:
    """How many lines there are, but for empty ones at the end."""
    text = content.removeprefix(b"\xef\xbb\xbf").rstrip(b" \t\r\n")
    return text.count(b"\n") + 1 if text else 0
