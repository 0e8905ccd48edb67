"""What fails behind the API: it goes on with what it has, or says by code what is missing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from operations.releases import FinishedRelease
from tests.support.api_caller import ApiCaller
from tests.support.drives import Drive, Stop
from tests.support.fault_rules import NOT_READY, operation
from tests.support.flow import OTHER_IMAGE, Flow
from tests.support.waiting import until

TENANTS = 700


def endpoints(flow: Flow) -> list[dict[str, Any]]:
    """The stack's endpoint and its candidate, as far as they are there."""
    sagemaker, name = boto3.client("sagemaker"), flow.stack.outputs["EndpointName"]
    listed = sagemaker.list_endpoints(NameContains=name)["Endpoints"]
    found = []
    for each in listed:
        with suppress(ClientError):  # it has gone meanwhile
            found.append(dict(sagemaker.describe_endpoint(EndpointName=each["EndpointName"])))
    return found


def is_baking(flow: Flow) -> bool:
    pending = [each["PendingDeploymentSummary"] for each in endpoints(flow) if "PendingDeploymentSummary" in each]
    variants = [variant for summary in pending for variant in summary["ProductionVariants"]]
    return any(status["Status"] == "Baking" for each in variants for status in each.get("VariantStatus", []))


@pytest.mark.slow
def test_an_image_is_taken_back_by_each_guard_while_the_api_goes_on(flow: Flow, first: FinishedRelease) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    before, tenant = flow.live(), flow.tenant_with_an_answer()
    assert before is not None
    (endpoint,) = endpoints(flow)
    drive, name = Drive(flow), endpoint["EndpointName"]

    def check_refused(stop: Stop, error: str, words: str) -> None:
        assert (stop.status, stop.state, stop.error) == ("FAILED", "DeployEndpoint", error), stop.cause
        assert words in stop.mail
        assert "The earlier image goes on answering" in stop.mail
        assert stop.live == before["release"]
        until(lambda: len(endpoints(flow)) == 1, "the candidate stays")
        (left,) = endpoints(flow)
        assert (left["EndpointStatus"], left["EndpointConfigName"]) == ("InService", endpoint["EndpointConfigName"])
        assert set(caller.versions) == {before["release"]}

    with ApiCaller(flow, tenant) as caller:
        image = f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{OTHER_IMAGE}:1"
        with flow.changed_function("DeployEndpoint", CONTAINER_IMAGE_URI=image):
            drive.start(flow.events(seed=22, tenants=TENANTS))
            check_refused(drive.follow(), "ImageDiffersError", "answers probability")
        answer = flow.predictions([tenant])  # the features of the new batch are stored already
        with flow.changed_function("DeployEndpoint", ENDPOINT_INSTANCE_TYPE="ml.m5.xlarge"):
            for unhealthy, words in ((f"{name}-candidate-endpoint", "could not be started"), (name, "was rolled back")):
                with flow.failing({"endpoint": unhealthy, "unhealthy": True}) as fired:
                    check_refused(drive.redrive(), "EndpointNotUpdatedError", words)
                    assert fired() == [1]
            with flow.changed_function("DeployEndpoint", ENDPOINT_BAKING_SECONDS="900"):
                drive.go_on()
                until(lambda: is_baking(flow), "the new image does not bake")
                alarm = flow.stack.physical_id("EndpointErrors")
                boto3.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
                check_refused(drive.follow(), "EndpointNotUpdatedError", "went into ALARM state")
            assert flow.predictions([tenant]) == answer
            end = drive.redrive()
    assert (end.status, end.live) == ("SUCCEEDED", drive.release)
    until(lambda: len(endpoints(flow)) == 1, "the candidate stays")
    (after,) = endpoints(flow)
    assert after["EndpointConfigName"] != endpoint["EndpointConfigName"]
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
