"""What the functions send to the endpoint, and what becomes of its refusals, against SageMaker's own service model."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from tenant_experience.aws import model_endpoint
from tenant_experience.errors import PlatformError
from tenant_experience.models.digests import ModelDiffersError

KEY, DIGEST = "all/r1/model.tar.gz", "d" * 64
ANSWER = json.dumps({"model_version": "r1", "scale": "global", "predictions": [{"tenant_id": "T1"}]}).encode()
ASKED = {
    "EndpointName": "te",
    "TargetModel": KEY,
    "ContentType": "application/json",
    "Accept": "application/json",
    "Body": b'{"instances": [{"tenant_id": "T1"}], "explain": false, "ignore_unknown_features": true}',
}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("sagemaker-runtime")
    monkeypatch.setenv("ENDPOINT", "te")
    monkeypatch.setattr(model_endpoint, "runtime", lambda: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def refuse(service: Stubber, status: int) -> None:
    service.add_client_error(
        "invoke_endpoint",
        "ModelError",
        "Received client error from model",
        http_status_code=424,
        modeled_fields={"OriginalStatusCode": status, "OriginalMessage": "no"},
    )


@pytest.mark.parametrize(("digest", "more"), [(DIGEST, {"CustomAttributes": f"model-json-sha256={DIGEST}"}), ("", {})])
def test_a_model_with_a_digest_is_asked_for_by_it(service: Stubber, digest: str, more: dict[str, str]) -> None:
    body = StreamingBody(io.BytesIO(ANSWER), len(ANSWER))
    service.add_response("invoke_endpoint", {"Body": body}, ASKED | more)
    assert model_endpoint.predict(KEY, [{"tenant_id": "T1"}], digest=digest).predictions == [{"tenant_id": "T1"}]


def test_a_model_that_is_not_the_registered_one_has_an_error_of_its_own(service: Stubber) -> None:
    refuse(service, 412)
    with pytest.raises(ModelDiffersError, match=f"from models/{KEY} that is not the registered one") as refusal:
        model_endpoint.predict(KEY, [], digest=DIGEST)
    assert refusal.value.code == "model_differs"


def test_other_refusals_of_the_container_leave_the_model_unavailable(service: Stubber) -> None:
    for status in (400, 404, 500):
        refuse(service, status)
        with pytest.raises(PlatformError) as refusal:
            model_endpoint.predict(KEY, [], digest=DIGEST)
        assert (type(refusal.value), refusal.value.code) == (PlatformError, "model_unavailable")
