"""A release that meets a dozen brief failures succeeds all the same: each is retried, by its name, and counts once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
import httpx
import pytest

from operations.mailbox import Form
from operations.releases import FinishedRelease
from tests.support.drives import Drive, Stop
from tests.support.fault_rules import CONFLICT, NOT_READY, THROTTLED, operation
from tests.support.flow import APPROVED_AS, APPROVER, Flow

TENANTS = 700
UNWRITABLE = "T000003"

BRIEF = {
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
    "pointer moved": operation(
        "dynamodb:TransactWriteItems", CONFLICT, times=1, match={"TransactItems.Put.Item.id": ["*live#*"]}
    ),
    "e-mail throttled": operation("sns:Publish", "Throttled", 429, match={"Subject": "Released*"}, times=1),
}


@dataclass
class Interrupted:
    """The execution that met every rule of BRIEF, and the pages that the approver saw."""

    drive: Drive
    stop: Stop
    fired: dict[str, int]
    pages: list[httpx.Response]


@pytest.fixture(scope="module")
def interrupted(flow: Flow, first: FinishedRelease) -> Interrupted:
    assert first.execution["status"] == "SUCCEEDED"
    pages: list[httpx.Response] = []

    def decide(mail: dict[str, Any]) -> None:
        """Approve; then send the form of the page that answers, with another decision added to it."""
        pages.append(flow.answer(mail, flow.http.get(mail["links"][0])))
        again = {"decision": "reject", "approver": APPROVER, "reason": "changed my mind"}
        form = Form.of(pages[0])  # it has no fields to type into
        pages.append(flow.http.post(form.action, data={**form.fields, **again}, follow_redirects=True))

    drive = Drive(flow, decide)
    with flow.failing(*BRIEF.values()) as fired:
        drive.start(flow.events(seed=20, tenants=TENANTS))
        stop = drive.follow()
        return Interrupted(drive, stop, dict(zip(BRIEF, fired(), strict=True)), pages)


def test_a_release_that_meets_a_dozen_brief_failures_succeeds(interrupted: Interrupted) -> None:
    assert (interrupted.stop.status, interrupted.stop.error) == ("SUCCEEDED", ""), interrupted.stop.cause
    expected = {name: rule.get("times", 1) for name, rule in BRIEF.items()}
    expected["record refused"] = 4  # by each store: with those beside it, then alone
    assert interrupted.fired == expected
    assert interrupted.stop.live == interrupted.drive.release
    assert interrupted.stop.endpoint == "InService"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("throttled job", "SageMaker.AmazonSageMakerException"),
        ("throttled second job", "SageMaker.AmazonSageMakerException"),
        ("outcome unreadable", "S3.S3Exception"),
        ("function's answer lost", "Lambda.Unknown"),
        ("function throttled", "Lambda.TooManyRequestsException"),
        ("function timed out", "Sandbox.Timedout"),
        ("e-mail throttled", "ClientError"),
    ],
)
def test_a_brief_failure_is_retried_by_its_name(interrupted: Interrupted, name: str, error: str) -> None:
    assert interrupted.fired[name] > 0
    assert error in interrupted.drive.errors()


def test_a_throttled_job_is_tried_again_under_another_name(interrupted: Interrupted) -> None:
    project, release = "tenant-experience", interrupted.drive.release
    sagemaker = boto3.client("sagemaker")
    jobs = sagemaker.list_training_jobs(NameContains=release)["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in jobs] == [f"{project}-{release}-train-model-0-1-0"]
    names = [
        job["ProcessingJobName"]
        for job in sagemaker.list_processing_jobs(NameContains=release)["ProcessingJobSummaries"]
    ]
    assert f"{project}-{release}-ingest-features-1-0" in names
    assert len(names) == 5


def test_one_record_that_cannot_be_written_is_reported_and_the_release_goes_on(
    flow: Flow, interrupted: Interrupted
) -> None:
    release = interrupted.drive.release
    assert flow.json_object(f"ingestion/{release}/algo-1/failed_records.json") == {UNWRITABLE: "ValidationError"}
    assert flow.json_object(f"ingestion/{release}/algo-1/outcome.json")["failed"] == 1


def test_a_request_that_could_not_be_sent_is_sent_once(interrupted: Interrupted) -> None:
    assert interrupted.fired["request unsent"] == 1
    assert len(interrupted.drive.mails(f"Decision needed: release {interrupted.drive.release}")) == 1


def test_an_undelivered_decision_says_so_and_is_sent_again_as_it_was_recorded(interrupted: Interrupted) -> None:
    undelivered, delivered = interrupted.pages
    assert undelivered.status_code == 503
    assert "was approved" in undelivered.text
    assert "recorded, but not delivered yet" in undelivered.text
    assert delivered.status_code == 409  # the other answer that was sent along is not recorded
    assert "was approved" in delivered.text
    assert "<form" not in delivered.text
    assert "changed my mind" not in delivered.text


def test_a_lost_answer_registers_no_second_package(interrupted: Interrupted) -> None:
    assert interrupted.fired["package's answer lost"] == interrupted.fired["function's answer lost"] == 1
    assert interrupted.stop.packages == [("Approved", f"approved by {APPROVED_AS}: looks right")]


def test_the_release_is_told_once(interrupted: Interrupted) -> None:
    assert len(interrupted.drive.mails(f"Released: {interrupted.drive.release}")) == 1
