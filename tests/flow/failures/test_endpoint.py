"""What fails behind the API: it goes on with what it has, or says by code what is missing."""

from __future__ import annotations

import pytest

from operations.releases import FinishedRelease
from tests.support.api_caller import ApiCaller
from tests.support.drives import Drive
from tests.support.fault_rules import NOT_READY, operation
from tests.support.flow import Flow

TENANTS = 700


@pytest.mark.slow
def test_an_endpoint_update_that_is_not_healthy_is_rolled_back_while_the_api_goes_on(
    flow: Flow, first: FinishedRelease
) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    before = flow.live()
    assert before is not None
    drive = Drive(flow)
    with ApiCaller(flow, flow.tenant_with_an_answer()) as caller:
        with (
            flow.changed_function("DeployEndpoint", ENDPOINT_INSTANCE_TYPE="ml.m5.xlarge"),
            flow.failing({"endpoint": "*", "unhealthy": True}) as fired,
        ):
            drive.start(flow.events(seed=22, tenants=TENANTS))
            stop = drive.follow()
            assert fired() == [1]
        assert (stop.status, stop.state, stop.error) == ("FAILED", "DeployEndpoint", "PlatformError")
        assert "endpoint_not_updated" in stop.cause
        assert "was rolled back to" in stop.mail
        assert (stop.endpoint, stop.live) == ("InService", before["release"])
        end = drive.redrive()
    assert (end.status, end.live) == ("SUCCEEDED", drive.release)
    assert caller.failures == []
    assert set(caller.versions) <= {before["release"], drive.release}


@pytest.mark.usefixtures("first")
def test_a_model_that_is_not_ready_is_503_for_as_long_and_then_200(flow: Flow) -> None:
    path = f"/tenants/{flow.tenant_with_an_answer()}/prediction"
    with flow.failing(operation("sagemaker-runtime:InvokeEndpoint", NOT_READY)) as fired:
        refused = flow.get(path)
        assert (refused.status_code, refused.json()["code"]) == (503, "model_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        assert fired()[0] > 0
    assert flow.get(path).status_code == 200


@pytest.mark.usefixtures("first")
def test_features_that_cannot_be_read_are_503_with_their_code(flow: Flow) -> None:
    path = f"/tenants/{flow.tenant_with_an_answer()}/features"
    with flow.failing(operation("sagemaker-featurestore-runtime:GetRecord", "AccessForbidden", 403)):
        answer = flow.get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "features_unavailable")
    assert flow.get(path).status_code == 200
