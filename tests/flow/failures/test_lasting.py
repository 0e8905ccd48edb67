"""A release that eight lasting failures stop one after another: each stop has a name and leaves nothing half done.

The execution is redriven each time the cause has gone, and succeeds in the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
import httpx
import pytest

from operations.releases import FinishedRelease
from tests.support.drives import Drive, Stop
from tests.support.fault_rules import CONFLICT, NOT_READY, THROTTLED, operation
from tests.support.flow import APPROVED_AS, Flow
from tests.support.waiting import until

pytestmark = pytest.mark.slow
TENANTS = 700

LASTING: dict[str, dict[str, Any]] = {
    "jobs throttled": operation("sagemaker:CreateProcessingJob", THROTTLED),
    "features' job killed": {"job": "*-build-features-*", "kill_after_seconds": 0},
    "records refused": operation(
        "sagemaker-featurestore-runtime:BatchWriteRecord",
        "ValidationError",
        match={"Entries.Record.tenant_id": ["T00001*"]},
    ),
    "training killed": {"job": "*-train-model-*", "kill_after_seconds": 0},
    "packages refused": operation("sagemaker:CreateModelPackage", "ResourceLimitExceeded"),
    "endpoint unhealthy": {"endpoint": "*", "unhealthy": True},
    "model never ready": operation("sagemaker-runtime:InvokeEndpoint", NOT_READY),
    "serving killed": {"job": "*-serve-features-*", "kill_after_seconds": 0},
    "pointer contended": operation("dynamodb:TransactWriteItems", CONFLICT),
}


@dataclass
class Stopped:
    """The execution that each rule of LASTING stopped; it was redriven when the rule had gone.

    Attributes:
        drive: the execution.
        before: the release that was live before it.
        stops: by the name of the rule.
        end: its end, without any rule.
        without_endpoint: what the API answered while there was no endpoint.
    """

    drive: Drive
    before: str
    stops: dict[str, Stop]
    end: Stop
    without_endpoint: httpx.Response


@pytest.fixture(scope="module")
def stopped(flow: Flow, first: FinishedRelease) -> Stopped:
    assert first.execution["status"] == "SUCCEEDED"
    live = flow.live()
    assert live is not None
    drive = Drive(flow)
    stops: dict[str, Stop] = {}
    for name, rule in LASTING.items():
        if name == "endpoint unhealthy":
            remove_endpoint(flow)
        with flow.failing(rule):
            if not drive.arn:
                drive.start(flow.events(seed=21, tenants=TENANTS))
                stops[name] = drive.follow()
            else:
                stops[name] = drive.redrive()
        if name == "endpoint unhealthy":
            without_endpoint = flow.get("/tenants/T000001/prediction")
    return Stopped(drive, live["release"], stops, drive.redrive(), without_endpoint)


def remove_endpoint(flow: Flow) -> None:
    sagemaker, name = boto3.client("sagemaker"), flow.stack.outputs["EndpointName"]
    sagemaker.delete_endpoint(EndpointName=name)
    until(lambda: not sagemaker.list_endpoints(NameContains=name)["Endpoints"], "the endpoint was not removed")


@pytest.mark.parametrize(
    ("name", "state", "error", "words", "packages", "endpoint"),
    [
        ("jobs throttled", "BuildFeatures", "SageMaker.AmazonSageMakerException", "Rate exceeded", 0, "InService"),
        ("features' job killed", "BuildFeatures", "States.TaskFailed", "-build-features-0-1", 0, "InService"),
        ("records refused", "IngestFeatures", "States.TaskFailed", "ingestion_failed", 0, "InService"),
        (
            "training killed",
            "TrainModels/TrainModel",
            "States.ExceedToleratedFailureThreshold",
            "tolerated failure threshold",
            0,
            "InService",
        ),
        ("packages refused", "RegisterModels", "ClientError", "ResourceLimitExceeded", 0, "InService"),
        ("endpoint unhealthy", "DeployEndpoint", "PlatformError", "endpoint_failed", 1, None),
        ("model never ready", "SmokeTest", "PlatformError", "model_unavailable", 1, "InService"),
        ("serving killed", "ServeFeatures", "States.TaskFailed", "-serve-features-0-", 1, "InService"),
        ("pointer contended", "PublishRelease", "PlatformError", "pointer_moved", 1, "InService"),
    ],
)
def test_a_lasting_failure_ends_by_name_and_leaves_nothing_half_done(
    stopped: Stopped, name: str, state: str, error: str, words: str, packages: int, endpoint: str | None
) -> None:
    stop = stopped.stops[name]
    assert (stop.status, stop.state, stop.error) == ("FAILED", state, error)
    assert words in stop.cause
    assert words in stop.mail
    assert "redrive" in stop.mail
    assert stop.live == stopped.before
    assert len(stop.packages) == packages
    assert stop.endpoint == endpoint


def test_the_stopped_release_is_redriven_to_success(stopped: Stopped) -> None:
    assert (stopped.end.status, stopped.end.error) == ("SUCCEEDED", ""), stopped.end.cause
    assert stopped.end.live == stopped.drive.release
    assert stopped.end.endpoint == "InService"
    assert stopped.end.packages == [("Approved", f"approved by {APPROVED_AS}: looks right")]
    assert len(stopped.drive.mails(f"Decision needed: release {stopped.drive.release}")) == 1


def test_redriven_jobs_have_names_of_their_own(stopped: Stopped) -> None:
    listed = boto3.client("sagemaker").list_processing_jobs(NameContains=f"{stopped.drive.release}-build-features")
    jobs = {job["ProcessingJobName"][-4:]: job["ProcessingJobStatus"] for job in listed["ProcessingJobSummaries"]}
    assert jobs == {"-0-1": "Failed", "-0-2": "Completed"}


def test_refused_records_are_written_by_the_redrive(flow: Flow, stopped: Stopped) -> None:
    outcome = flow.json_object(f"ingestion/{stopped.drive.release}/algo-1/outcome.json")
    assert outcome["failed"] == 0
    assert outcome["written"] == outcome["records"] > 0


def test_without_an_endpoint_the_api_says_when_to_come_back(stopped: Stopped) -> None:
    answer = stopped.without_endpoint
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
