"""The status-change event an EventBridge rule sees, for every end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.tests.server.machines import Machines, eventually

SLEEP = {"Sleep": {"Type": "Wait", "Seconds": 60, "End": True}}
FAIL = {"End": {"Type": "Fail", "Error": "BadFile", "Cause": "it is empty"}}


@pytest.fixture(scope="module")
def next_event(client: Callable[..., Any]) -> Callable[[str], dict[str, Any]]:
    """Wait for an execution's event of an end, through a rule and a queue."""
    sqs, events = client("sqs"), client("events")
    url = sqs.create_queue(QueueName="ends")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]},
    }
    rule = events.put_rule(Name="ends", EventPattern=json.dumps(pattern))["RuleArn"]
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
            }
        ]
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    events.put_targets(Rule="ends", Targets=[{"Id": "queue", "Arn": arn}])

    def wait_for(execution_arn: str) -> dict[str, Any]:
        for _ in range(20):
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                detail: dict[str, Any] = json.loads(message["Body"])["detail"]
                if detail["executionArn"] == execution_arn:
                    return detail
        raise AssertionError("no event")

    return wait_for


def test_a_failure_carries_its_error_and_cause(machines: Machines, next_event: Any) -> None:
    detail = next_event(machines.start(FAIL))
    assert (detail["status"], detail["error"], detail["cause"]) == ("FAILED", "BadFile", "it is empty")
    assert detail["redriveStatus"] == "REDRIVABLE"


def test_an_abort_carries_its_error_and_cause(machines: Machines, next_event: Any) -> None:
    arn = machines.start(SLEEP)
    machines.client.stop_execution(executionArn=arn, error="Enough", cause="asked")
    detail = next_event(arn)
    assert (detail["status"], detail["error"], detail["cause"]) == ("ABORTED", "Enough", "asked")


def test_a_time_out_is_told(machines: Machines, next_event: Any) -> None:
    assert next_event(machines.start(SLEEP, TimeoutSeconds=1))["status"] == "TIMED_OUT"


def test_a_success_carries_its_output(machines: Machines, next_event: Any) -> None:
    detail = next_event(machines.start({"Done": {"Type": "Succeed", "Output": 7}}))
    assert (detail["status"], detail["output"], detail["error"]) == ("SUCCEEDED", "7", None)


def test_a_job_s_change_of_state_reaches_a_rule(client: Callable[..., Any], role_arn: str) -> None:
    events, sqs = client("events"), client("sqs")
    queue = sqs.create_queue(QueueName="job-events")["QueueUrl"]
    pattern = {"source": ["aws.sagemaker"], "detail": {"ProcessingJobStatus": ["Completed"]}}
    events.put_rule(Name="jobs", EventPattern=json.dumps(pattern))
    arn = "arn:aws:sqs:us-east-1:000000000000:job-events"
    events.put_targets(Rule="jobs", Targets=[{"Id": "1", "Arn": arn}])
    made = client("sagemaker").create_processing_job(
        ProcessingJobName="told",
        RoleArn=role_arn,
        AppSpecification={
            "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/test-image:1",
            "ContainerEntrypoint": ["python3", "/opt/program/job.py", "0", "0"],
        },
        ProcessingResources={
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 1}
        },
    )
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    event = json.loads(message["Body"])
    assert event["detail-type"] == "SageMaker Processing Job State Change"
    assert event["resources"] == [made["ProcessingJobArn"]]
