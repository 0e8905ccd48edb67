"""Answers of the Step Functions API: idempotent starts, aborts that reach what runs, and redrives."""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import limits, running, status_events, walk

_start = sfn._start_execution
_stop = sfn._stop_execution
_describe = sfn._describe_execution
_handle = sfn.handle_request
Response = tuple[int, dict[str, str], Any]


def install() -> None:
    """Put these answers in front of MiniStack's."""
    sfn._start_execution = start_execution
    sfn._stop_execution = stop_execution
    sfn._describe_execution = describe_execution
    sfn.handle_request = _handle_request


def start_execution(data: dict[str, Any]) -> Response:
    """The same name with the same input while it runs is the same execution, not an error."""
    if len(data.get("input", "{}").encode()) > limits.MAX_PAYLOAD_BYTES:
        return _error("InvalidExecutionInput", f"Input is longer than {limits.MAX_PAYLOAD_BYTES} bytes")
    try:
        json.loads(data.get("input", "{}"))
    except ValueError as error:
        return _error("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'")
    response: Response = _start(data)
    if response[0] == 400 and json.loads(response[2]).get("__type") == "ExecutionAlreadyExists":
        machine = sfn._resolve_state_machine_arn(data["stateMachineArn"])
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{data['name']}"
        running_one = sfn._executions.get(arn)
        if running_one and running_one["status"] == "RUNNING" and running_one["input"] == data.get("input", "{}"):
            return _answer({"executionArn": arn, "startDate": running_one["startDate"]})
    return response


def stop_execution(data: dict[str, Any]) -> Response:
    """Abort, and wake everything that waits or works for the execution."""
    execution = sfn._executions.get(data.get("executionArn"))
    if execution is None or execution["status"] != "RUNNING":
        response: Response = _stop(data)
        return response
    if walk.finish(execution, "ABORTED", error=data.get("error"), cause=data.get("cause")):
        run = running.find(execution["executionArn"])
        if run is not None:
            run.end()
    return _answer({"stopDate": execution["stopDate"]})


def describe_execution(data: dict[str, Any]) -> Response:
    """MiniStack's answer, with the redrives."""
    status, headers, body = _describe(data)
    if status != 200:
        return status, headers, body
    execution = sfn._executions[data["executionArn"]]
    redrivable = execution["status"] in status_events.REDRIVABLE and execution.get("mapRunArn") is None
    found = {name: value for name, value in json.loads(body).items() if value is not None}
    found |= {
        "redriveCount": execution.get("redriveCount", 0),
        "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
    }
    if execution.get("redriveDate"):
        found["redriveDate"] = execution["redriveDate"]
    return _answer(found)


def redrive_execution(data: dict[str, Any]) -> Response:
    """Go on from the state that did not succeed, with its input and the variables it was entered with.

    A Fail state is entered again, and fails again. Of a Distributed Map only what has not succeeded runs again.
    Source: https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
    """
    arn = data.get("executionArn", "")
    execution = sfn._executions.get(arn)
    if execution is None:
        return _error("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    if execution["status"] not in status_events.REDRIVABLE or "_position" not in execution:
        return _error("ExecutionNotRedrivable", f"Execution is {execution['status']} and cannot be redriven")
    moment = now_iso()
    for field in ("error", "cause"):
        execution.pop(field, None)
    execution.update(redriveCount=execution.get("redriveCount", 0) + 1, redriveDate=moment, stopDate=None, output=None)
    details = {"redriveCount": execution["redriveCount"]}
    running.add_event(execution, "ExecutionRedriven", {"executionRedrivenEventDetails": details})
    execution["status"] = "RUNNING"
    sfn._emit_execution_status_event(execution)
    walk.start_thread(arn)
    return _answer({"redriveDate": moment})


async def _handle_request(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Response:
    if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
        response: Response = sfn._finalize_response(redrive_execution(json.loads(body or b"{}")))
        return response
    answer: Response = await _handle(method, path, headers, body, query)
    return answer


def _answer(payload: dict[str, Any]) -> Response:
    response: Response = json_response(payload)
    return response


def _error(code: str, message: str) -> Response:
    response: Response = error_response_json(code, message, 400)
    return response
