"""The laptop's AWS is killed during a release: it comes back with what it had, and the release is redriven."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from operations.releases import FinishedRelease
from tests.support.drives import Drive
from tests.support.fault_rules import operation
from tests.support.flow import APPROVED_AS, Flow
from tests.support.server_kill import kill_and_start_the_server
from tests.support.waiting import until

TENANTS = 700


def task_token(flow: Flow, release: str) -> str:
    item = boto3.client("dynamodb").get_item(
        TableName=flow.stack.outputs["ReleaseTableName"], Key={"id": {"S": f"approval#{release}"}}, ConsistentRead=True
    )["Item"]
    return item["task_token"]["S"]


@pytest.mark.slow
def test_a_killed_server_comes_back_and_its_release_is_redriven(flow: Flow, first: FinishedRelease) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    before = flow.live()
    tenant = flow.tenant_with_an_answer()
    mails: list[dict[str, Any]] = []
    drive = Drive(flow, decide=mails.append)

    with flow.failing({"operation": "sagemaker:CreateTrainingJob", "delay_seconds": 3600}):
        drive.start(flow.events(seed=24, tenants=TENANTS))
        drive.until_entered("TrainModel")
        kill_and_start_the_server(flow, drive, "TrainModel")
    in_training = drive.follow()
    assert (in_training.status, in_training.error) == ("FAILED", "States.ServiceRestart")
    assert in_training.state == "TrainModels/TrainModel"
    assert "redrive" in in_training.mail
    until(lambda: flow.get(f"/tenants/{tenant}/prediction").status_code == 200, "the endpoint did not come back")
    assert flow.live() == before

    drive.go_on()
    mail = flow.mailbox.wait_for(f"Decision needed: release {drive.release}")
    kill_and_start_the_server(flow, drive, "RequestApproval")
    waiting = drive.follow()
    assert (waiting.status, waiting.error, waiting.state) == ("FAILED", "States.ServiceRestart", "RequestApproval")
    assert waiting.packages == []
    assert flow.live() == before

    lost = task_token(flow, drive.release)
    drive.go_on()
    until(lambda: task_token(flow, drive.release) != lost, "the approval did not wait again")
    flow.decide(mail)  # with the link that was sent first
    end = drive.follow()
    assert (end.status, end.live, end.endpoint) == ("SUCCEEDED", drive.release, "InService")
    assert end.packages == [("Approved", f"approved by {APPROVED_AS}: looks right")]
    assert len(drive.mails(f"Decision needed: release {drive.release}")) == 1
    assert flow.get(f"/tenants/{tenant}/prediction").json()["model_version"] == drive.release


@pytest.mark.slow
def test_a_decision_that_is_written_and_not_passed_on_outlives_the_server(flow: Flow, first: FinishedRelease) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    before = flow.live()
    drive = Drive(flow, decide=lambda _mail: None)
    drive.start(flow.events(seed=25, tenants=TENANTS))
    mail = flow.mailbox.wait_for(f"Decision needed: release {drive.release}")
    with flow.failing(operation("stepfunctions:SendTaskSuccess", "KmsThrottlingException")):
        answer = flow.answer(mail, flow.http.get(mail["links"][0]))
        assert answer.status_code == 503
        assert "The decision is recorded, but not delivered yet" in answer.text
        kill_and_start_the_server(flow, drive, "RequestApproval")
    stopped = drive.follow()
    assert (stopped.status, stopped.error, stopped.state) == ("FAILED", "States.ServiceRestart", "RequestApproval")
    assert flow.live() == before

    end = drive.redrive()
    assert (end.status, end.live) == ("SUCCEEDED", drive.release)
    assert end.packages == [("Approved", f"approved by {APPROVED_AS}: looks right")]
    assert len(drive.mails(f"Decision needed: release {drive.release}")) == 1
    assert len(drive.mails(f"Your code to decide about release {drive.release}")) == 1
