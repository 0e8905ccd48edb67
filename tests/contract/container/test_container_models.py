"""The routes by which SageMaker manages many models, driven over HTTP against the real server."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.registered_model import rewrite
from tests.support.small_model import write_model


def load(client: httpx.Client, name: str, folder: Path) -> httpx.Response:
    return client.post("/models", json={"model_name": name, "url": str(folder)})


def test_a_model_is_loaded_listed_described_and_unloaded(multi_model: httpx.Client, model_folder: Path) -> None:
    described = {"modelName": "m", "modelUrl": str(model_folder)}
    assert load(multi_model, "m", model_folder).status_code == 200
    assert multi_model.get("/models").json() == {"models": [described]}
    assert multi_model.get("/models/m").json() == described
    assert multi_model.delete("/models/m").status_code == 200
    assert multi_model.get("/models").json() == {"models": []}


def test_a_model_that_is_loaded_is_409(multi_model: httpx.Client, loaded: str, model_folder: Path) -> None:
    answer = load(multi_model, loaded, model_folder)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "model_already_loaded"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/models/none"), ("DELETE", "/models/none"), ("POST", "/models/none/invoke")]
)
def test_a_model_that_is_not_loaded_is_404(multi_model: httpx.Client, method: str, path: str) -> None:
    answer = multi_model.request(method, path, json={"instances": []})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_loaded"


def test_507_without_memory_until_another_is_unloaded(multi_model: httpx.Client, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "large", trees=700)
    assert 0.5 * 2**20 < (folder / "model.ubj").stat().st_size < 1.5 * 2**20
    assert load(multi_model, "large-1", folder).status_code in (200, 507)
    refused = load(multi_model, "large-2", folder)
    assert refused.status_code == 507
    assert "unload another model first" in refused.json()["error"]["message"]
    multi_model.delete("/models/large-1")
    assert [model["modelName"] for model in multi_model.get("/models").json()["models"]] == []


def test_a_folder_without_a_model_of_ours_is_refused_by_name(multi_model: httpx.Client, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "odd")
    cases = {
        "format: Input should be 1": ("model.json", lambda text: text.replace('"format": 1', '"format": 7')),
        "its content differs from its own digest": ("model.json", lambda text: text.replace('"r1"', '"r2"')),
        "model.ubj differs from its digest": ("model.ubj", lambda _text: "not a model"),
    }
    for expected, (name, change) in cases.items():
        write_model(folder)
        (folder / name).write_text(change((folder / name).read_text(errors="replace")))
        answer = load(multi_model, "odd", folder)
        assert answer.status_code == 400
        assert expected in answer.json()["error"]["message"]
    (folder / "model.ubj").unlink()
    assert "model.ubj is missing" in load(multi_model, "odd", folder).json()["error"]["message"]
    assert multi_model.get("/models").json() == {"models": []}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model_name": "m"}', b'{"model_name": 3, "url": "/x"}'])
def test_a_load_request_must_be_whole(multi_model: httpx.Client, body: bytes) -> None:
    answer = multi_model.post("/models", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_many_threads_get_the_same_answer(multi_model: httpx.Client, loaded: str) -> None:
    instances = [{"tenant_id": str(n), "features": {"work_order_count": n / 50}} for n in range(100)]

    def ask(_attempt: int) -> list[float]:
        answer = multi_model.post(f"/models/{loaded}/invoke", json={"instances": instances})
        return [prediction["probability"] for prediction in answer.json()["predictions"]]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(64)))
    assert all(answer == answers[0] for answer in answers)


def test_a_newly_loaded_model_is_known_to_every_request(multi_model: httpx.Client, model_folder: Path) -> None:
    """One process serves them all: no request may reach one that has not heard of the load."""
    for attempt in range(20):
        name = f"fresh-{attempt}"
        assert load(multi_model, name, model_folder).status_code == 200
        with httpx.Client(base_url=multi_model.base_url) as new_connection:
            body = {"instances": [{"features": {}}]}
            assert new_connection.post(f"/models/{name}/invoke", json=body).status_code == 200
        assert multi_model.delete(f"/models/{name}").status_code == 200


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, json.dumps({"model_name": "m", "url": "/" + "a" * 5_000}).encode(), b'{"model_name": "m"}']
)
def test_a_hostile_load_is_400(multi_model: httpx.Client, body: bytes) -> None:
    assert multi_model.post("/models", content=body).status_code == 400
    assert multi_model.post("/models", json={"model_name": "m", "url": "/" + "a" * 500}).status_code == 400


CUSTOM = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ("", 200),
        ("trace=1", 200),
        ("anything at all", 200),
        ("model-json-sha256=RIGHT", 200),
        ("trace=1;model-json-sha256=RIGHT", 200),
        ("trace=1; model-json-sha256=RIGHT ; more", 200),
        ("model-json-sha256=WRONG", 412),
        ("trace=1;model-json-sha256=WRONG", 412),
        ("model-json-sha256=RIGHT,model-json-sha256=WRONG", 412),
        ("model-json-sha256=", 412),
        ("model-json-sha256", 412),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/csv"])
def test_only_the_model_that_the_caller_expects_answers(
    multi_model: httpx.Client, loaded: str, model_folder: Path, attributes: str, status: int, content_type: str
) -> None:
    digest = hashlib.sha256((model_folder / "model.json").read_bytes()).hexdigest()
    header = {CUSTOM: attributes.replace("RIGHT", digest).replace("WRONG", "0" * 64)}
    body = {"application/json": b'{"instances": [{"features": {}}]}', "text/csv": b"1,2,3\n"}[content_type]
    answer = multi_model.post(
        f"/models/{loaded}/invoke", content=body, headers={**header, "Content-Type": content_type}
    )
    assert answer.status_code == status
    if status == 412:
        error = answer.json()["error"]
        assert error["code"] == "model_differs"
        assert digest in error["message"]


def test_a_model_that_is_exchanged_with_digests_that_fit_loads_but_does_not_answer_for_the_registered_one(
    multi_model: httpx.Client, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "m")
    registered = hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()
    rewrite(folder, threshold=0.01)
    assert load(multi_model, "exchanged", folder).status_code == 200
    body, expected = {"instances": [{"features": {}}]}, {CUSTOM: f"model-json-sha256={registered}"}
    assert multi_model.post("/models/exchanged/invoke", json=body, headers=expected).status_code == 412
    assert multi_model.post("/models/exchanged/invoke", json=body).status_code == 200
    assert multi_model.delete("/models/exchanged").status_code == 200
