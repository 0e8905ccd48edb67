"""Answers of the Step Functions API: idempotent starts, aborts that reach what runs, and redrives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields, limits, rights, running, status_events, task, walk

_start = sfn._start_execution
_handle = sfn.handle_request
Response = tuple[int, dict[str, str], Any]


def install() -> None:
    """Answer before MiniStack does."""
    sfn._start_execution = start_execution
    sfn.handle_request = _handle_request


def start_execution(data: dict[str, Any]) -> Response:
    """Start an execution. The same name and input while it runs is the same execution, and no error."""
    if len(data.get("input", "{}").encode()) > limits.MAX_PAYLOAD_BYTES:
        return _error("InvalidExecutionInput", f"Input is longer than {limits.MAX_PAYLOAD_BYTES} bytes")
    try:
        json.loads(data.get("input", "{}"))
    except ValueError as error:
        return _error("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'")
    response: Response = _start(data)
    if response[0] == 400 and json.loads(response[2]).get("__type") == "ExecutionAlreadyExists":
        machine = ":".join(data["stateMachineArn"].split(":")[:7])  # without the version or alias
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{data['name']}"
        running_one = sfn._executions.get(arn)
        if running_one and running_one["status"] == "RUNNING" and running_one["input"] == data.get("input", "{}"):
            return _answer({"executionArn": arn, "startDate": running_one["startDate"]})
    return response


def stop_execution(data: dict[str, Any]) -> Response | None:
    """Abort a running execution and wake everything that works for it. None when it does not run."""
    execution = sfn._executions.get(data.get("executionArn"))
    if execution is None or execution["status"] != "RUNNING":
        return None
    if walk.finish(execution, "ABORTED", error=data.get("error"), cause=data.get("cause")):
        run = running.find(execution["executionArn"])
        if run is not None:
            run.end()
    return _answer({"stopDate": fields.epoch_seconds(execution["stopDate"])})


def with_redrives(data: dict[str, Any], response: Response) -> Response:
    """MiniStack's answer to DescribeExecution, with the redrives."""
    if response[0] != 200:
        return response
    execution = sfn._executions[data["executionArn"]]
    redrivable = execution["status"] in status_events.REDRIVABLE and execution.get("mapRunArn") is None
    found = {name: value for name, value in json.loads(response[2]).items() if value is not None}
    found |= {
        "redriveCount": execution.get("redriveCount", 0),
        "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
    }
    if execution.get("redriveDate"):
        found["redriveDate"] = fields.epoch_seconds(execution["redriveDate"])
    return _answer(found)


def redrive_execution(data: dict[str, Any]) -> Response:
    """Continue from the state that did not succeed, with the input and variables that it was entered with.

    A Fail state is entered again and fails again. In a Distributed Map only items that have not succeeded run again.
    Source: https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
    """
    arn = data.get("executionArn", "")
    execution = sfn._executions.get(arn)
    if execution is None:
        return _error("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    if execution["status"] not in status_events.REDRIVABLE or "_position" not in execution:
        return _error("ExecutionNotRedrivable", f"Execution is {execution['status']} and cannot be redriven")
    moment = fields.now_iso()
    for field in ("error", "cause"):
        execution.pop(field, None)
    execution.update(redriveCount=execution.get("redriveCount", 0) + 1, redriveDate=moment, stopDate=None, output=None)
    details = {"redriveCount": execution["redriveCount"]}
    running.add_event(execution, "ExecutionRedriven", {"executionRedrivenEventDetails": details})
    execution["status"] = "RUNNING"
    sfn._emit_execution_status_event(execution)
    walk.start_thread(arn)
    return _answer({"redriveDate": fields.epoch_seconds(moment)})


# What may answer before MiniStack; None leaves the answer to MiniStack.
_FIRST: dict[str, Callable[[dict[str, Any]], Response | None]] = {
    "CreateStateMachine": rights.refusal_of_creation,
    "RedriveExecution": redrive_execution,
    "SendTaskFailure": task.refusal_of_answer,
    "SendTaskSuccess": task.refusal_of_answer,
    "StopExecution": stop_execution,
}


async def _handle_request(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Response:
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    if action not in _FIRST and action != "DescribeExecution":
        untouched: Response = await _handle(method, path, headers, body, query)
        return untouched
    try:
        data = json.loads(body or b"{}")
    except ValueError as error:
        return _error("SerializationException", f"Invalid JSON: {error}")
    answer = _FIRST[action](data) if action in _FIRST else None
    if answer is None:
        answer = await _handle(method, path, headers, body, query)
    return with_redrives(data, answer) if action == "DescribeExecution" else answer


def _answer(payload: dict[str, Any]) -> Response:
    response: Response = json_response(payload)
    return response


def _error(code: str, message: str) -> Response:
    response: Response = error_response_json(code, message, 400)
    return response
