"""A run is read with few calls; what holds a task token is never asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from tenant_experience.aws import executions, run_history
from tenant_experience.errors import UserError
from tenant_experience.release.run_history import Shards

ARN = "arn:aws:states:eu-west-1:123456789012:execution:te-train-and-release:20261129-abcdef0"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:te-train-and-release"
RUN = "arn:aws:states:eu-west-1:123456789012:mapRun:te-train-and-release/TrainModels:1"
CHILD = "arn:aws:states:eu-west-1:123456789012:execution:te-train-and-release/TrainModels:"
MAP_RUN = {"executionArn": ARN, "mapRunArn": RUN, "stateMachineArn": MACHINE, "startDate": 2}
TIME = datetime(2026, 11, 29, tzinfo=UTC)
COUNTS = dict.fromkeys(("pending", "running", "succeeded", "failed", "timedOut", "aborted", "resultsWritten"), 0)


@pytest.fixture
def states() -> Iterator[Stubber]:
    with Stubber(executions.stepfunctions()) as stub:
        yield stub
        stub.assert_no_pending_responses()


def history(states: Stubber, arn: str, events: list[dict[str, Any]], *, with_data: bool) -> None:
    numbered = [{"id": number, "timestamp": TIME, **event} for number, event in enumerate(events, 1)]
    states.add_response(
        "get_execution_history", {"events": numbered}, {"executionArn": arn, "includeExecutionData": with_data}
    )


def entered(name: str, kind: str) -> dict[str, Any]:
    return {"type": f"{kind}StateEntered", "stateEnteredEventDetails": {"name": name}}


def job(name: str) -> list[dict[str, Any]]:
    asked = f'{{"TrainingJobName": "{name}", "ResourceConfig": {{"InstanceType": "ml.c5.large"}}}}'
    named = {"resourceType": "sagemaker", "resource": "createTrainingJob.sync"}
    done = {**named, "output": '{"BillableTimeInSeconds": 60}'}
    return [
        entered("TrainModel", "Task"),
        {"type": "TaskScheduled", "taskScheduledEventDetails": {**named, "region": "r", "parameters": asked}},
        {"type": "TaskSucceeded", "taskSucceededEventDetails": done},
    ]


def test_the_shards_of_a_map_are_counted(states: Stubber) -> None:
    described = {"executionArn": ARN, "stateMachineArn": MACHINE, "name": "20261129-abcdef0", "status": "RUNNING"}
    given = {"input": '{"batch": "november"}', "startDate": TIME}
    states.add_response("describe_execution", {**described, **given}, {"executionArn": ARN})
    history(states, ARN, [entered("Begin", "Pass"), entered("TrainModels", "Map")], with_data=False)
    states.add_response("list_map_runs", {"mapRuns": [MAP_RUN]}, {"executionArn": ARN})
    counts = {**COUNTS, "total": 5, "succeeded": 3, "failed": 1, "running": 1}
    states.add_response(
        "describe_map_run",
        {
            "mapRunArn": RUN,
            "executionArn": ARN,
            "status": "RUNNING",
            "startDate": TIME,
            "maxConcurrency": 5,
            "toleratedFailurePercentage": 0.0,
            "toleratedFailureCount": 0,
            "itemCounts": counts,
            "executionCounts": counts,
        },
        {"mapRunArn": RUN},
    )
    run = run_history.read(ARN)
    assert (run.name, run.status, run.given, run.ended) == ("20261129-abcdef0", "RUNNING", {"batch": "november"}, None)
    stage = run.stage("TrainModels")
    assert stage is not None
    assert stage.shards == Shards(total=5, done=3, failed=1, running=1)


def test_a_run_that_aws_has_forgotten_is_named(states: Stubber) -> None:
    states.add_client_error("describe_execution", "ExecutionDoesNotExist")
    with pytest.raises(UserError, match="unknown_run"):
        run_history.read(ARN)


def test_the_jobs_of_the_shards_are_counted_and_few_shards_are_read(states: Stubber) -> None:
    history(states, ARN, [], with_data=True)
    states.add_response("list_map_runs", {"mapRuns": [MAP_RUN]}, {"executionArn": ARN})
    children = [
        {
            "executionArn": f"{CHILD}{number}",
            "stateMachineArn": MACHINE,
            "name": str(number),
            "status": "RUNNING",
            "startDate": TIME,
        }
        for number in range(3)
    ]
    states.add_response("list_executions", {"executions": children}, {"mapRunArn": RUN})
    history(states, f"{CHILD}0", job("t-0"), with_data=True)
    history(states, f"{CHILD}1", job("t-1"), with_data=True)
    used = run_history.jobs(ARN, most_shards=2)
    assert [job.name for job in used.shard_jobs] == ["t-0", "t-1"]
    assert used.instance_seconds == {"ml.c5.large": 180.0}
