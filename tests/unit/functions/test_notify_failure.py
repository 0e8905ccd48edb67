"""The failed job of a shard is looked up with few calls, and an e-mail goes out even when that fails."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from tenant_experience.aws import executions, link_signature, notifications
from tenant_experience.release.failure import EXCEEDED
from tests.support.places import ROOT

EVENT: dict[str, Any] = json.loads((ROOT / "events" / "notify_failure.json").read_text())
PARENT = EVENT["detail"]["executionArn"]
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:te-train-and-release"
RUN = "arn:aws:states:eu-west-1:123456789012:mapRun:te-train-and-release/TrainModels:1"
CHILD = "arn:aws:states:eu-west-1:123456789012:execution:te-train-and-release/TrainModels:c"
API = "https://api.example/v1"
JOB = {"TrainingJobName": "te-r-train-model-7-0-0", "TrainingJobStatus": "Failed", "FailureReason": "Killed"}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name, value in {
        "TOPIC": "arn:aws:sns:eu-west-1:123456789012:releases",
        "LINK_KEY": "k",
        "API_URL": API,
    }.items():
        monkeypatch.setenv(name, value)
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


@pytest.fixture(autouse=True)
def key() -> Iterator[Stubber]:
    with Stubber(link_signature.kms()) as stub:
        stub.add_response("generate_mac", {"Mac": b"m" * 32})
        yield stub


def entered_last(states: Stubber, name: str) -> None:
    event = {"id": 1, "timestamp": 1, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}}
    asked = {"executionArn": PARENT, "reverseOrder": True, "includeExecutionData": False, "maxResults": 100}
    states.add_response("get_execution_history", {"events": [event]}, asked)


def message(topic: Stubber) -> dict[str, str]:
    """What is published is written into the dictionary."""
    sent: dict[str, str] = {}

    class Said:
        def __eq__(self, other: object) -> bool:
            sent["text"] = str(other)
            return True

        __hash__ = None  # type: ignore[assignment]

    topic.add_response("publish", {"MessageId": "m"}, {"TopicArn": ANY, "Subject": ANY, "Message": Said()})
    return sent


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
    entered_last(states, "TrainModels")
    topic.add_response("publish", {"MessageId": "m"}, {"TopicArn": ANY, "Subject": ANY, "Message": ANY})
    assert app.handler(exceeded(), None)["subject"].endswith("a job failed (batch november)")
    states.assert_no_pending_responses()
    topic.assert_no_pending_responses()


def test_an_e_mail_goes_out_when_the_shards_cannot_be_read(app: ModuleType, states: Stubber, topic: Stubber) -> None:
    states.add_client_error("list_map_runs", "AccessDeniedException")
    states.add_client_error("get_execution_history", "AccessDeniedException")
    topic.add_response("publish", {"MessageId": "m"}, {"TopicArn": ANY, "Subject": ANY, "Message": ANY})
    assert app.handler(exceeded(), None)["subject"].endswith("a model was not trained (batch november)")
    topic.assert_no_pending_responses()


def test_other_failures_need_no_look_up_of_shards_and_link_the_run(
    app: ModuleType, states: Stubber, topic: Stubber
) -> None:
    entered_last(states, "DataRefused")
    sent = message(topic)
    assert app.handler(EVENT, None)["subject"].endswith("its data cannot be used (batch november)")
    assert f"{API}/runs/20261120-3f9a2c1?signature=bW1tbW1t" in sent["text"]
    states.assert_no_pending_responses()


def test_an_e_mail_goes_out_when_its_link_cannot_be_signed(
    app: ModuleType, states: Stubber, topic: Stubber, key: Stubber
) -> None:
    entered_last(states, "DataRefused")
    key.deactivate()
    with Stubber(link_signature.kms()) as broken:
        broken.add_client_error("generate_mac", "KMSInternalException")
        sent = message(topic)
        app.handler(EVENT, None)
    assert "/runs/" not in sent["text"]


def test_a_live_release_whose_approvers_were_not_told_is_not_called_a_failure(
    app: ModuleType, states: Stubber, topic: Stubber
) -> None:
    entered_last(states, "NotifyReleased")
    message(topic)
    failed = {"detail": {**EVENT["detail"], "error": "ClientError", "cause": "{}"}}
    assert app.handler(failed, None)["subject"].endswith("its e-mail was not sent (batch november)")


@pytest.mark.parametrize("error", ["ReleaseRejected", "ApprovalExpired", "ReleaseSuperseded", "ReleaseWithdrawn"])
def test_what_was_decided_was_told_before(app: ModuleType, error: str) -> None:
    assert app.handler({"detail": {**EVENT["detail"], "error": error}}, None) == {"subject": ""}
