"""Lambdas as tasks: the error's name, task tokens, time-outs, and workers that live on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.tests.server.machines import Machines, eventually

RAISES = """
import os
class UserError(Exception):
    pass
def handler(event, context):
    if event.get("raise"):
        raise UserError("bad " + event["raise"])
    return {"pid": os.getpid(), "event": event}
"""
# Fails before it has answered, unless the retry says it is the third attempt; then answers its own token.
TOKENS = """
import boto3, json
def handler(event, context):
    if event["attempt"] < event["failures"]:
        raise ValueError(event["token"])
    boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output=json.dumps(event["attempt"]))
"""
SILENT = "def handler(event, context):\n    print(event)\n"
SLEEPS = "import time\ndef handler(event, context):\n    time.sleep(5)\n"


def invoke(arn: str, payload: Any, **state: Any) -> dict[str, Any]:
    arguments = {"FunctionName": arn, "Payload": payload}
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": arguments,
        **({} if "Next" in state else {"End": True}),
        **state,
    }


@pytest.fixture(scope="module")
def raises(function: Callable[[str], str]) -> str:
    return function(RAISES)


def test_the_class_is_the_error_name(machines: Machines, raises: str) -> None:
    catch = [{"ErrorEquals": ["UserError"], "Next": "Caught", "Assign": {"error": "{% $states.errorOutput %}"}}]
    states = {
        "Call": invoke(raises, {"raise": "file"}, Catch=catch),
        "Caught": {"Type": "Succeed", "Output": {"name": "{% $error.Error %}", "cause": "{% $parse($error.Cause) %}"}},
    }
    output = machines.output(states)
    assert output["name"] == "UserError"
    assert output["cause"]["errorType"] == "UserError"
    assert output["cause"]["errorMessage"] == "bad file"


def test_the_worker_survives_an_exception(client: Callable[..., Any], raises: str) -> None:
    def call(payload: dict[str, Any]) -> Any:
        answer = client("lambda").invoke(FunctionName=raises, Payload=json.dumps(payload))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    _, before = call({})
    error, body = call({"raise": "x"})
    _, after = call({})
    assert error is not None
    assert (body["errorType"], body["errorMessage"]) == ("UserError", "bad x")
    assert before["pid"] == after["pid"]


def test_a_module_that_does_not_import_has_its_error(machines: Machines, function: Callable[[str], str]) -> None:
    arn = function("import no_such_module\n")
    assert machines.run({"Call": invoke(arn, {})})["error"] == "Runtime.ImportModuleError"


def waiting(arn: str, failures: int, **state: Any) -> dict[str, Any]:
    payload = {
        "token": "{% $states.context.Task.Token %}",
        "attempt": "{% $states.context.State.RetryCount %}",
        "failures": failures,
    }
    state = invoke(arn, payload, TimeoutSeconds=20, **state)
    return {**state, "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}


def test_a_raising_lambda_fails_its_waiting_task_and_each_retry_has_its_token(
    machines: Machines, function: Callable[[str], str]
) -> None:
    arn = function(TOKENS)
    retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 3, "JitterStrategy": "FULL"}]
    execution = machines.start({"Ask": waiting(arn, 2, Retry=retry)})
    done = machines.wait(execution)
    assert (done["status"], done["output"]) == ("SUCCEEDED", "2")
    failed = [event["taskFailedEventDetails"] for event in machines.events(execution) if event["type"] == "TaskFailed"]
    tokens = [json.loads(details["cause"])["errorMessage"] for details in failed]
    assert len(set(tokens)) == 2


def test_a_waiting_task_times_out_and_its_token_is_closed(machines: Machines, function: Callable[[str], str]) -> None:
    arn = function(SILENT)
    payload = {"token": "{% $states.context.Task.Token %}"}
    ask = {**invoke(arn, payload, TimeoutSeconds=1), "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}
    execution = machines.start({"Ask": ask})
    assert machines.wait(execution)["error"] == "States.Timeout"
    scheduled = next(event for event in machines.events(execution) if event["type"] == "TaskScheduled")
    token = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Payload"]["token"]
    with pytest.raises(machines.client.exceptions.TaskTimedOut):
        machines.client.send_task_success(taskToken=token, output="{}")


def test_a_token_is_answered_once(machines: Machines, function: Callable[[str], str]) -> None:
    payload = {"token": "{% $states.context.Task.Token %}"}
    ask = {
        **invoke(function(SILENT), payload, Next="After"),
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    }
    after = {"Type": "Wait", "Seconds": 1, "End": True}
    execution = machines.start({"Ask": ask, "After": after})

    def scheduled_token() -> str | None:
        for event in machines.events(execution):
            if event["type"] == "TaskScheduled":
                token: str = json.loads(event["taskScheduledEventDetails"]["parameters"])["Payload"]["token"]
                return token
        return None

    token = eventually(scheduled_token)
    machines.client.send_task_failure(taskToken=token, error="Rejected", cause="no")
    with pytest.raises(machines.client.exceptions.TaskTimedOut):
        machines.client.send_task_success(taskToken=token, output="{}")
    assert machines.wait(execution)["error"] == "Rejected"


def test_a_task_times_out(machines: Machines, function: Callable[[str], str]) -> None:
    states = {
        "Call": invoke(
            function(SLEEPS), {}, TimeoutSeconds=1, Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]
        ),
        "Late": {"Type": "Succeed", "Output": "late"},
    }
    assert machines.output(states) == "late"
