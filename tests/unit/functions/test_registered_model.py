"""The API asks the endpoint for the model that was registered, and says so when another one is loaded."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from tenant_experience.api.prediction import ServedTenant
from tenant_experience.aws import model_endpoint
from tenant_experience.release.release import LiveRelease
from tests.support.function_module import function_module
from tests.support.places import ROOT
from tests.support.words import TENANT_WORDS

DIGEST = "d" * 64
TENANT = ServedTenant("T1", "north", "all", "2026-11-01T00:00:00+00:00", "r1", "sufficient", {}, {})
USE_CASE = SimpleNamespace(
    name="tenant_experience",
    words=TENANT_WORDS,
    aspects={},
    features={},
    labels=("good", "bad"),
    positive="bad",
    outcome="bad",
    window=None,
    record_id_case="sensitive",
)
ROW = {"tenant_id": "T1", "status": "scored", "probability": 0.1, "experience": "good"}
Ask = Callable[[], tuple[int, dict[str, Any]]]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("sagemaker-runtime")
    monkeypatch.setattr(model_endpoint, "runtime", lambda: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def asking(monkeypatch: pytest.MonkeyPatch, live: LiveRelease) -> Ask:
    """POST /predictions for the tenant, while ``live`` is live."""
    app = function_module("predictions")
    for name, value in {"USE_CASE": "tenant_experience", "STALE_AFTER_DAYS": "35", "ENDPOINT": "te"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(app.served_use_case, "read", lambda _name: USE_CASE)
    monkeypatch.setattr(app.served_features, "read_tenants", lambda _ids, _use_case: {"T1": TENANT})
    monkeypatch.setattr(app.release_table, "read_live", lambda _name: live)
    event = json.loads((ROOT / "events" / "predictions.json").read_text())
    request = {"httpMethod": "POST", "resource": "/predictions", "path": "/predictions", "pathParameters": {}}

    def ask() -> tuple[int, dict[str, Any]]:
        body = json.dumps({"tenant_ids": ["T1"]})
        answer = app.handler(event | request | {"body": body}, SimpleNamespace(aws_request_id="1"))
        return answer["statusCode"], json.loads(answer["body"])

    return ask


@pytest.mark.parametrize(
    ("digests", "more"),
    [({"all": DIGEST}, {"CustomAttributes": f"model-json-sha256={DIGEST}"}), ({"north": DIGEST}, {}), ({}, {})],
    ids=["with a digest", "with another partition's digest", "of an earlier version"],
)
def test_the_live_model_is_asked_for_by_its_digest(
    endpoint: Stubber, monkeypatch: pytest.MonkeyPatch, digests: dict[str, str], more: dict[str, str]
) -> None:
    content = json.dumps({"model_version": "r1", "scale": "global", "predictions": [ROW]}).encode()
    asked = {
        "EndpointName": "te",
        "TargetModel": "all/r1/model.tar.gz",
        "ContentType": ANY,
        "Accept": ANY,
        "Body": ANY,
    }
    endpoint.add_response("invoke_endpoint", {"Body": StreamingBody(io.BytesIO(content), len(content))}, asked | more)
    status, document = asking(monkeypatch, LiveRelease.of_models("r1", "t", 1, {"all": "r1"}, None, digests))()
    assert (status, document["predictions"][0]["experience"]) == (200, "good")


def test_a_model_that_is_not_the_registered_one_gives_a_problem_that_says_so(
    endpoint: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.add_client_error("invoke_endpoint", "ModelError", "no", modeled_fields={"OriginalStatusCode": 412})
    status, document = asking(monkeypatch, LiveRelease.of_models("r1", "t", 1, {"all": "r1"}, None, {"all": DIGEST}))()
    assert (status, document["code"]) == (503, "model_differs")
    assert "changed after it was registered" in document["detail"]
