"""Failures to order, through the deployed state machine: retried to success, ended by name, or redriven to success.

Three executions carry most of them: one that meets a dozen short failures and succeeds all the same; one that eight
lasting ones stop, redriven each time the cause has gone; and one whose endpoint is rolled back.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from demo import batch
from demo.mailbox import Form
from demo.run import Release
from local_aws.server.state import State
from tests.flow.conftest import STATE, Flow, start_server
from tests.flow.drives import Drive, Stop, until
from tests.flow.test_accidents import function_name
from tests.flow.test_releases import Caller

TENANTS = 700
THROTTLED = {"code": "ThrottlingException", "message": "Rate exceeded"}
NOT_READY = {"code": "ModelNotReadyException", "status": 429}
CONFLICT = {"code": "TransactionCanceledException", "message": "Transaction cancelled [TransactionConflict]"}
UNWRITABLE = "T000003"


def operation(name: str, code: str | dict[str, Any], status: int = 400, **more: Any) -> dict[str, Any]:
    error = code if isinstance(code, dict) else {"code": code, "status": status}
    return {"operation": name, "error": error, **more}


SHORT = {
    "throttled job": operation("sagemaker:CreateTrainingJob", THROTTLED, times=1),
    "throttled second job": operation("sagemaker:CreateProcessingJob", THROTTLED, skip=1, times=1),
    "outcome unreadable": operation(
        "s3:GetObject", "InternalError", 500, match={"Key": "clusters/*/outcome.json"}, times=2
    ),
    "record refused": operation(
        "sagemaker-featurestore-runtime:BatchWriteRecord",
        "ValidationError",
        match={"Entries.Record.tenant_id": [UNWRITABLE]},
    ),
    "request unsent": operation("sns:Publish", "KMSThrottling", match={"Subject": "Decision needed*"}, times=1),
    "decision undelivered": operation("stepfunctions:SendTaskSuccess", "KmsThrottlingException", times=1),
    "package's answer lost": operation(
        "sagemaker:CreateModelPackage", "InternalFailure", 500, times=1, lose_answer=True
    ),
    "function's answer lost": {
        "function": "*RegisterModels*",
        "error": {"code": "Lambda.Unknown"},
        "times": 1,
        "lose_answer": True,
    },
    "function throttled": {"function": "*DeployEndpoint*", "error": {"code": "TooManyRequestsException"}, "times": 1},
    "function timed out": {
        "function": "*SmokeTest*",
        "error": {"code": "Sandbox.Timedout"},
        "times": 1,
        "delay_seconds": 0.2,
    },
    "model not ready": operation("sagemaker-runtime:InvokeEndpoint", NOT_READY, times=2),
    "pointer moved": operation("dynamodb:TransactWriteItems", CONFLICT, times=1),
    "e-mail throttled": operation("sns:Publish", "Throttled", 429, match={"Subject": "Released*"}, times=1),
}


@dataclass
class Stormy:
    """The execution that met every rule of SHORT, and what the approver saw."""

    drive: Drive
    stop: Stop
    fired: dict[str, int]
    pages: list[httpx.Response]


@pytest.fixture(scope="module")
def stormy(flow: Flow, first: Release) -> Stormy:
    assert first.execution["status"] == "SUCCEEDED"
    pages: list[httpx.Response] = []

    def decide(mail: dict[str, Any]) -> None:
        """Approve; what is on the page then is sent as it is, and a changed mind beside it."""
        form = Form.of(httpx.get(mail["links"][0]))
        pages.append(form.submit({"decision": "approve", "approver": "Tess Ter", "reason": "looks right"}))
        again = {"decision": "reject", "approver": "Tess Ter", "reason": "changed my mind"}
        pages.append(httpx.post(Form.of(pages[0]).action, data=again))

    drive = Drive(flow, decide)
    with flow.failing(*SHORT.values()) as fired:
        drive.start(flow.events(seed=20, tenants=TENANTS))
        stop = drive.follow()
        return Stormy(drive, stop, dict(zip(SHORT, fired(), strict=True)), pages)


def test_a_release_that_meets_a_dozen_short_failures_succeeds(stormy: Stormy) -> None:
    assert (stormy.stop.status, stormy.stop.error) == ("SUCCEEDED", ""), stormy.stop.cause
    expected = {name: rule.get("times", 1) for name, rule in SHORT.items()}
    expected["record refused"] = 2  # with those beside it, then alone
    assert stormy.fired == expected
    assert stormy.stop.live == stormy.drive.release
    assert stormy.stop.endpoint == "InService"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("throttled job", "SageMaker.AmazonSageMakerException"),
        ("throttled second job", "SageMaker.AmazonSageMakerException"),
        ("outcome unreadable", "S3.S3Exception"),
        ("function's answer lost", "Lambda.Unknown"),
        ("function throttled", "Lambda.TooManyRequestsException"),
        ("function timed out", "Sandbox.Timedout"),
        ("pointer moved", "PlatformError"),
        ("e-mail throttled", "SNS.ThrottledException"),
    ],
)
def test_a_short_failure_is_retried_by_its_name(stormy: Stormy, name: str, error: str) -> None:
    assert stormy.fired[name] > 0
    assert error in stormy.drive.errors()


def test_a_throttled_job_is_tried_again_under_another_name(stormy: Stormy) -> None:
    project, release = "tenant-experience", stormy.drive.release
    sagemaker = boto3.client("sagemaker")
    jobs = sagemaker.list_training_jobs(NameContains=release)["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in jobs] == [f"{project}-{release}-train-model-0-1-0"]
    names = [
        job["ProcessingJobName"]
        for job in sagemaker.list_processing_jobs(NameContains=release)["ProcessingJobSummaries"]
    ]
    assert f"{project}-{release}-ingest-features-1-0" in names
    assert len(names) == 4


def test_one_record_that_cannot_be_written_is_reported_and_the_release_goes_on(flow: Flow, stormy: Stormy) -> None:
    release = stormy.drive.release
    assert flow.json_object(f"ingestion/{release}/algo-1/failed_records.json") == {UNWRITABLE: "ValidationError"}
    assert flow.json_object(f"ingestion/{release}/algo-1/outcome.json")["failed"] == 1


def test_a_request_that_could_not_be_sent_is_sent_once(stormy: Stormy) -> None:
    assert stormy.fired["request unsent"] == 1
    assert len(stormy.drive.mails(f"Decision needed: release {stormy.drive.release}")) == 1


def test_an_undelivered_decision_says_so_and_is_sent_again_as_it_was_recorded(stormy: Stormy) -> None:
    undelivered, delivered = stormy.pages
    assert undelivered.status_code == 503
    assert "was approved" in undelivered.text
    assert "not passed on yet" in undelivered.text
    assert delivered.status_code == 200
    assert "was approved" in delivered.text
    assert "<form" not in delivered.text
    assert "changed my mind" not in delivered.text


def test_a_lost_answer_registers_no_second_package(stormy: Stormy) -> None:
    assert stormy.fired["package's answer lost"] == stormy.fired["function's answer lost"] == 1
    assert stormy.stop.packages == [("Approved", "approved by Tess Ter: looks right")]


def test_the_release_is_told_once(stormy: Stormy) -> None:
    assert len(stormy.drive.mails(f"Released: {stormy.drive.release}")) == 1


LASTING: dict[str, dict[str, Any]] = {
    "jobs throttled": operation("sagemaker:CreateProcessingJob", THROTTLED),
    "features' job killed": {"job": "*-build-features-*", "kill_after_seconds": 0.3},
    "records refused": operation(
        "sagemaker-featurestore-runtime:BatchWriteRecord",
        "ValidationError",
        match={"Entries.Record.tenant_id": ["T00001*"]},
    ),
    "training killed": {"job": "*-train-model-*", "kill_after_seconds": 0.3},
    "packages refused": operation("sagemaker:CreateModelPackage", "ResourceLimitExceeded"),
    "endpoint unhealthy": {"endpoint": "*", "unhealthy": True},
    "model never ready": operation("sagemaker-runtime:InvokeEndpoint", NOT_READY),
    "pointer contended": operation("dynamodb:TransactWriteItems", CONFLICT),
}


@dataclass
class Stopped:
    """The execution that was stopped by each rule of LASTING, and redriven when it had gone."""

    drive: Drive
    before: str
    stops: dict[str, Stop]
    end: Stop
    without_endpoint: httpx.Response


@pytest.fixture(scope="module")
def stopped(flow: Flow, first: Release) -> Stopped:
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
    deadline = time.monotonic() + 30
    while sagemaker.list_endpoints(NameContains=name)["Endpoints"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


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
    assert stopped.end.packages == [("Approved", "approved by Tess Ter: looks right")]
    assert len(stopped.drive.mails(f"Decision needed: release {stopped.drive.release}")) == 1


def test_redriven_jobs_have_names_of_their_own(stopped: Stopped) -> None:
    listed = boto3.client("sagemaker").list_processing_jobs(NameContains=f"{stopped.drive.release}-build-features")
    jobs = {job["ProcessingJobName"][-4:]: job["ProcessingJobStatus"] for job in listed["ProcessingJobSummaries"]}
    assert jobs == {"-0-1": "Failed", "-0-2": "Completed"}


def test_refused_records_are_written_by_the_redrive(flow: Flow, stopped: Stopped) -> None:
    outcome = flow.json_object(f"ingestion/{stopped.drive.release}/algo-1/outcome.json")
    assert outcome["failed"] == 0
    assert 0 < outcome["written"] <= 10


def test_without_an_endpoint_the_api_says_when_to_come_back(stopped: Stopped) -> None:
    answer = stopped.without_endpoint
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_an_endpoint_update_that_is_not_healthy_is_rolled_back_while_the_api_goes_on(
    flow: Flow, stopped: Stopped
) -> None:
    functions, name = boto3.client("lambda"), function_name("DeployEndpoint")
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    caller = Caller(flow, tenant_with_an_answer(flow))
    drive = Drive(flow)
    caller.start()
    try:
        other = {"Variables": {**variables, "ENDPOINT_INSTANCE_TYPE": "ml.m5.xlarge"}}
        functions.update_function_configuration(FunctionName=name, Environment=other)
        with flow.failing({"endpoint": "*", "unhealthy": True}) as fired:
            drive.start(flow.events(seed=22, tenants=TENANTS))
            stop = drive.follow()
            assert fired() == [1]
        assert (stop.status, stop.state, stop.error) == ("FAILED", "DeployEndpoint", "PlatformError")
        assert "endpoint_not_updated" in stop.cause
        assert "went back to" in stop.mail
        assert (stop.endpoint, stop.live) == ("InService", stopped.end.live)
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    end = drive.redrive()
    caller.end()
    assert (end.status, end.live) == ("SUCCEEDED", drive.release)
    assert caller.failures == []
    assert set(caller.versions) <= {stopped.end.live, drive.release}


def tenant_with_an_answer(flow: Flow) -> str:
    ids = [f"T{number:06d}" for number in range(100)]
    answer = httpx.post(
        f"{flow.stack.api_url}/predictions", headers={"x-api-key": flow.stack.api_key}, json={"tenant_ids": ids}
    )
    return next(row["tenant_id"] for row in answer.json()["predictions"] if row.get("probability") is not None)


def test_a_model_that_is_not_ready_is_503_for_as_long_and_then_200(flow: Flow, stopped: Stopped) -> None:
    assert stopped.end.status == "SUCCEEDED"
    path = f"/tenants/{tenant_with_an_answer(flow)}/prediction"
    with flow.failing(operation("sagemaker-runtime:InvokeEndpoint", NOT_READY, for_seconds=2)):
        refused, started = flow.get(path), time.monotonic()
        assert (refused.status_code, refused.json()["code"]) == (503, "model_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        while (answer := flow.get(path)).status_code == 503:
            assert time.monotonic() - started < 10
            time.sleep(0.1)
    assert answer.status_code == 200
    assert 1 < time.monotonic() - started < 10


def test_features_that_cannot_be_read_are_503_with_their_code(flow: Flow, stopped: Stopped) -> None:
    assert stopped.end.status == "SUCCEEDED"
    rule = operation("sagemaker-featurestore-runtime:GetRecord", "AccessForbidden", 403)
    with flow.failing(rule):
        answer = flow.get("/tenants/T000001/features")
    assert (answer.status_code, answer.json()["code"]) == (503, "features_unavailable")
    assert flow.get("/tenants/T000001/features").status_code == 200


def test_a_release_nobody_decides_about_expires_by_name(flow: Flow, first: Release) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    before = flow.live()
    rule = {"function": "*RequestApproval*", "error": {"code": "States.Timeout"}, "lose_answer": True}
    drive = Drive(flow, decide=lambda _mail: None)
    with flow.failing(rule):
        drive.start(flow.events(seed=23, tenants=TENANTS))
        stop = drive.follow()
    assert (stop.status, stop.state, stop.error) == ("FAILED", "ApprovalExpired", "ApprovalExpired")
    assert stop.packages == [("Rejected", "expired by nobody: no decision in time")]
    assert "Upload the batch again" in stop.mail
    assert flow.live() == before
    link = drive.mails(f"Decision needed: release {drive.release}")[0]["links"][0]
    late = Form.of(httpx.get(link)).submit({"decision": "approve", "approver": "Tess Ter", "reason": "at last"})
    assert late.status_code == 410
    assert flow.live() == before


def test_an_event_whose_function_fails_is_delivered_again_and_counts_once(
    flow: Flow, first: Release, tmp_path: Path
) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    (tmp_path / "empty.csv").write_bytes(b"")
    rules = [
        {"function": f"*{name}*", "error": {"code": "RuntimeError"}, "times": 1, "lose_answer": loses}
        for name, loses in (("StartRelease", True), ("NotifyFailure", None))
    ]
    rules[1].pop("lose_answer")
    drive = Drive(flow)
    before = drive.executions()
    with flow.failing(*rules) as fired:
        drive.start(batch.Batch("delivered-twice", (tmp_path / "empty.csv",), {"source": "events"}))
        stop = drive.follow()
        assert fired() == [1, 1]
    assert (stop.state, stop.error.partition(".")[0]) == ("DataRefused", "UserError")
    time.sleep(2)  # a second delivery comes a second after the first
    assert len(drive.executions() - before) == 1
    assert len(drive.mails(f"Release {drive.release}: UserError.")) == 1


def test_a_rule_that_can_never_match_is_refused_by_name(flow: Flow) -> None:
    address = flow.stack.mailbox_url.replace("/mailbox", "/faults")
    refused = httpx.put(address, json=[operation("sagemaker:CreateTrainJob", "X")])
    assert refused.status_code == 400
    assert "CreateTrainJob" in json.dumps(refused.json())
    assert httpx.get(address).json() == []


SAVED_AFTER_S = 4.0  # the server saves what has changed a few seconds later


def kill_and_start_the_server() -> None:
    """SIGKILL to the server, as a full memory does it, and ``local_aws up`` again."""
    time.sleep(SAVED_AFTER_S)
    supervisor = json.loads((STATE / "server.json").read_text())["pid"]
    server = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()[0]
    os.kill(int(server), signal.SIGKILL)
    until(lambda: not State(STATE).is_locked(), "the killed server's processes stay")
    start_server()


def task_token(flow: Flow, release: str) -> str:
    item = boto3.client("dynamodb").get_item(
        TableName=flow.stack.outputs["ReleaseTableName"], Key={"id": {"S": f"approval#{release}"}}, ConsistentRead=True
    )["Item"]
    return item["task_token"]["S"]


def test_a_killed_server_comes_back_and_its_release_is_redriven(flow: Flow, first: Release) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    before = flow.live()
    tenant = tenant_with_an_answer(flow)
    mails: list[dict[str, Any]] = []
    drive = Drive(flow, decide=mails.append)

    with flow.failing({"operation": "sagemaker:CreateTrainingJob", "delay_seconds": 60}):
        drive.start(flow.events(seed=24, tenants=TENANTS))
        drive.until_entered("TrainModel")
        kill_and_start_the_server()
    in_training = drive.follow()
    assert (in_training.status, in_training.error) == ("FAILED", "States.ServiceRestart")
    assert in_training.state == "TrainModels/TrainModel"
    assert "redrive" in in_training.mail
    until(lambda: flow.get(f"/tenants/{tenant}/prediction").status_code == 200, "the endpoint does not come back")
    assert flow.live() == before

    drive.go_on()
    mail = flow.mailbox.wait_for(f"Decision needed: release {drive.release}", seconds=60)
    kill_and_start_the_server()
    waiting = drive.follow()
    assert (waiting.status, waiting.error, waiting.state) == ("FAILED", "States.ServiceRestart", "RequestApproval")
    assert waiting.packages == []
    assert flow.live() == before

    lost = task_token(flow, drive.release)
    drive.go_on()
    until(lambda: task_token(flow, drive.release) != lost, "the approval does not wait again")
    drive.approve(mail)  # the link that was sent first
    end = drive.follow()
    assert (end.status, end.live, end.endpoint) == ("SUCCEEDED", drive.release, "InService")
    assert end.packages == [("Approved", "approved by Tess Ter: looks right")]
    assert len(drive.mails(f"Decision needed: release {drive.release}")) == 1
    assert flow.get(f"/tenants/{tenant}/prediction").json()["model_version"] == drive.release
