"""The failed job of a shard is looked up with few calls, and an e-mail goes out even when that fails."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from tenant_experience.aws import executions, notifications
from tenant_experience.release.failure import EXCEEDED
from tests.support.places import ROOT

EVENT: dict[str, Any] = json.loads((ROOT / "events" / "notify_failure.json").read_text())
PARENT = EVENT["detail"]["executionArn"]
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:te-train-and-release"
RUN = "arn:aws:states:eu-west-1:123456789012:mapRun:te-train-and-release/TrainModels:1"
CHILD = "arn:aws:states:eu-west-1:123456789012:execution:te-train-and-release/TrainModels:c"
JOB = {"TrainingJobName": "te-r-train-model-7-0-0", "TrainingJobStatus": "Failed", "FailureReason": "Killed"}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("TOPIC", "arn:aws:sns:eu-west-1:123456789012:releases")
    spec = importlib.util.spec_from_file_location("notify_failure", ROOT / "functions" / "notify_failure" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def states() -> Iterator[Stubber]:
    with Stubber(executions.stepfunctions()) as stub:
        yield stub


@pytest.fixture
def topic() -> Iterator[Stubber]:
    with Stubber(notifications.sns()) as stub:
        yield stub


def exceeded() -> dict[str, Any]:
    return {"detail": {**EVENT["detail"], "error": EXCEEDED, "cause": "The specified tolerated ... was exceeded"}}


def test_the_failed_job_of_a_shard_is_found(app: ModuleType, states: Stubber, topic: Stubber) -> None:
    run = {"executionArn": PARENT, "mapRunArn": RUN, "stateMachineArn": MACHINE, "startDate": 1}
    child = {"executionArn": CHILD, "stateMachineArn": MACHINE, "name": "c", "status": "FAILED", "startDate": 1}
    states.add_response("list_map_runs", {"mapRuns": [run]}, {"executionArn": PARENT})
    for status, found in (("FAILED", [{**child, "stopDate": 2}]), ("TIMED_OUT", [])):
        states.add_response("list_executions", {"executions": found}, {"mapRunArn": RUN, "statusFilter": status})
    described = {**child, "input": '{"shard": 7}', "error": "States.TaskFailed", "cause": json.dumps(JOB)}
    states.add_response("describe_execution", described, {"executionArn": CHILD})
    topic.add_response("publish", {"MessageId": "m"}, {"TopicArn": ANY, "Subject": ANY, "Message": ANY})
    assert app.handler(exceeded(), None)["subject"].endswith("a job failed (batch november)")
    states.assert_no_pending_responses()
    topic.assert_no_pending_responses()


def test_an_e_mail_goes_out_when_the_shards_cannot_be_read(app: ModuleType, states: Stubber, topic: Stubber) -> None:
    states.add_client_error("list_map_runs", "AccessDeniedException")
    topic.add_response("publish", {"MessageId": "m"}, {"TopicArn": ANY, "Subject": ANY, "Message": ANY})
    assert app.handler(exceeded(), None)["subject"].endswith("a model was not trained (batch november)")
    topic.assert_no_pending_responses()


def test_other_failures_need_no_look_up(app: ModuleType, states: Stubber, topic: Stubber) -> None:
    topic.add_response("publish", {"MessageId": "m"}, {"TopicArn": ANY, "Subject": ANY, "Message": ANY})
    assert app.handler(EVENT, None)["subject"].endswith("its data cannot be used (batch november)")
    states.assert_no_pending_responses()
