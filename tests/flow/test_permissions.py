"""A permission taken away from a live role is missed where it is needed. ``make iam-drill`` does it for many."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from checks import iam_drill
from operations import releases
from operations.releases import FinishedRelease
from tests.support.flow import STATE, Flow
from tests.support.waiting import until


def grant(role: str, action: str, resource: str = "") -> iam_drill.Grant:
    (found,) = [
        each
        for each in iam_drill.grants()
        if (each.permission.role, each.permission.action) == (role, action) and resource in each.permission.resource
    ]
    return found


def some_tenant(flow: Flow, release: str) -> str:
    return releases.some_records(flow.stack, release, "tenant_id", 1)[0]


@pytest.mark.parametrize(
    ("role", "action", "route"),
    [
        ("FeaturesRole", "sagemaker:GetRecord", "features"),
        ("PredictionsRole", "dynamodb:GetItem", "prediction"),
        ("PredictionsRole", "sagemaker:InvokeEndpoint", "prediction"),
    ],
)
def test_a_route_misses_its_permission(flow: Flow, first: FinishedRelease, role: str, action: str, route: str) -> None:
    path = f"/tenants/{some_tenant(flow, first.release)}/{route}"
    gone = grant(role, action)
    with iam_drill.removed(gone):
        assert flow.get(path).status_code >= 500
    assert iam_drill.noted(STATE, gone, allowed=False) is not None
    assert flow.get(path).status_code == 200


def test_the_machine_is_not_deployed_without_its_managed_rule(flow: Flow) -> None:
    states: Any = boto3.client("stepfunctions")
    machine = states.describe_state_machine(stateMachineArn=flow.stack.state_machine)
    arn, definition = machine["stateMachineArn"], machine["definition"]
    with (
        iam_drill.removed(grant("TrainAndReleaseRole", "events:PutRule", "ProcessingJobs")),
        pytest.raises(ClientError, match="not authorized to create managed-rule"),
    ):
        states.update_state_machine(stateMachineArn=arn, definition=definition)
    states.update_state_machine(stateMachineArn=arn, definition=definition)


def test_a_task_misses_a_permission_of_the_machines_role(flow: Flow, first: FinishedRelease) -> None:
    states: Any = boto3.client("stepfunctions")
    given = json.loads(first.execution["input"])
    states_of = {"stateMachineArn": flow.stack.state_machine, "name": f"{given['release']}-p"}
    gone = grant("TrainAndReleaseRole", "sagemaker:DescribeProcessingJob")
    with iam_drill.removed(gone):
        arn = states.start_execution(
            **states_of, input=json.dumps({**given, "release": "missed", "history_only": True})
        )["executionArn"]

        def failures() -> list[dict[str, Any]]:
            events = states.get_execution_history(executionArn=arn)["events"]
            return [event["taskFailedEventDetails"] for event in events if event["type"] == "TaskFailed"]

        until(failures, "no task failed")
        states.stop_execution(executionArn=arn)
    failed = failures()[0]
    assert failed["error"] == "SageMaker.AmazonSageMakerException"
    assert "is not authorized to perform: sagemaker:DescribeProcessingJob" in failed["cause"]
