"""One Task: time-outs, task tokens, and errors that reach Retry and Catch."""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields, limits, retry, rights, running, task_token
from local_aws.ministack_patches.states.running import Execution, add_event

_TOKEN = ".waitForTaskToken"  # noqa: S105 the name of a pattern, not a secret
# Set when the task's result is no longer wanted: a `.sync` job is then stopped.
cancelled: contextvars.ContextVar[threading.Event] = contextvars.ContextVar("local_aws_task_cancelled")


def execute_task(
    state: dict[str, Any], raw_input: Any, execution: Execution, context: dict[str, Any]
) -> tuple[Any, str | None]:
    """Run a Task state under its Retry and Catch; returns its output and the next state."""
    return retry.with_retry_and_catch(state, raw_input, context, lambda: _attempt(state, raw_input, execution, context))


def _attempt(
    state: dict[str, Any], raw_input: Any, execution: Execution, context: dict[str, Any]
) -> tuple[Any, str | None]:
    is_jsonata = fields.is_jsonata(state, context)
    resource = state["Resource"]
    if _TOKEN in resource:
        token = task_token.new(execution["stateMachineArn"])  # each attempt has its own
        context["Task"] = {"Token": token}
        # Known before the history shows it: an answer may come at once.
        sfn._task_tokens[token] = {"event": threading.Event(), "result": None, "error": None, "heartbeat": None}
    try:
        if is_jsonata:
            arguments = sfn._apply_jsonata_arguments(state, raw_input, context)
        else:
            arguments = sfn._apply_parameters(state, sfn._apply_input_path(state, raw_input, context), context)
        limits.check_payload(arguments, f"arguments of state '{context['State']['Name']}'")
        names = _resource_names(resource)
        add_event(
            execution, "TaskScheduled", {"taskScheduledEventDetails": {**names, "parameters": json.dumps(arguments)}}
        )
        add_event(execution, "TaskStarted", {"taskStartedEventDetails": names})
        result = _invoke(state, resource, arguments, raw_input, context)
        limits.check_payload(result, f"task '{context['State']['Name']}'")
    except sfn._ExecutionError as error:
        if _TOKEN in resource:
            sfn._task_tokens.pop(context["Task"]["Token"], None)
        kind = "TimedOut" if error.error in ("States.Timeout", "States.HeartbeatTimeout") else "Failed"
        details = {**_resource_names(resource), "error": error.error, "cause": error.cause}
        add_event(execution, f"Task{kind}", {f"task{kind}EventDetails": details})
        raise
    add_event(execution, "TaskSucceeded", {"taskSucceededEventDetails": {**names, "output": json.dumps(result)}})
    if is_jsonata:
        output = sfn._apply_jsonata_output(state, raw_input, context, result=result, default=result)
        sfn._apply_state_assign(state, raw_input, context, result=result)
    else:
        output = sfn._apply_result_path(state, raw_input, sfn._apply_result_selector(state, result))
        output = sfn._apply_output_path(state, output, context)
    return output, fields.next_state(state)


def _invoke(state: dict[str, Any], resource: str, arguments: Any, raw_input: Any, context: dict[str, Any]) -> Any:
    timeout = _seconds(state, "TimeoutSeconds", raw_input, context)
    rights.demand_for_task(resource, arguments)
    if _TOKEN in resource:
        heartbeat = _seconds(state, "HeartbeatSeconds", raw_input, context)
        return _invoke_and_wait(resource.replace(_TOKEN, ""), arguments, context["Task"]["Token"], timeout, heartbeat)
    return _invoke_within(timeout, lambda: sfn._invoke_resource(resource, arguments))


def _invoke_within(timeout: float | None, call: Callable[[], Any]) -> Any:
    """The result of ``call``, which runs in a thread so that time-outs and aborts do not wait for it."""
    finished, results, errors = threading.Event(), [], []
    stop = threading.Event()

    def work() -> None:
        cancelled.set(stop)
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001 raised again by the waiting thread
            errors.append(error)
        finished.set()

    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()
    try:
        in_time = running.current().wait_for(finished, timeout)
    except running.InterruptedRunError:
        stop.set()
        raise
    if not in_time:
        stop.set()
        raise sfn._ExecutionError("States.Timeout", f"The task did not end within {timeout} seconds")
    if errors:
        raise errors[0]
    return results[0]


def _invoke_and_wait(resource: str, arguments: Any, token: str, timeout: float | None, heartbeat: float | None) -> Any:
    """Call, then wait for the token's answer. When the call fails, the task fails, because nobody would answer."""
    info: dict[str, Any] = sfn._task_tokens[token]
    answered: threading.Event = info["event"]

    def work() -> None:
        try:
            sfn._invoke_resource(resource, arguments)
        except Exception as error:  # noqa: BLE001 raised again by the waiting thread
            info["raised"] = error
            answered.set()

    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()
    try:
        _wait_for_answer(info, timeout, heartbeat)
    finally:
        sfn._task_tokens.pop(token, None)
    if info.get("raised") is not None:
        raise info["raised"]
    if info["error"]:
        raise sfn._ExecutionError(info["error"].get("Error", ""), info["error"].get("Cause", ""))
    return json.loads(info["result"])


def _wait_for_answer(info: dict[str, Any], timeout: float | None, heartbeat: float | None) -> None:
    started = time.monotonic()
    ends = [started + timeout] if timeout is not None else []
    while True:
        last_beat = info["heartbeat"]
        beat_by = [time.monotonic() + heartbeat] if heartbeat is not None else []
        until = min([*ends, *beat_by], default=None)
        left = None if until is None else max(0.0, until - time.monotonic())
        if running.current().wait_for(info["event"], left):
            return
        if ends and time.monotonic() >= ends[0]:
            raise sfn._ExecutionError("States.Timeout", f"No answer to the task token within {timeout} seconds")
        if info["heartbeat"] == last_beat:
            raise sfn._ExecutionError("States.HeartbeatTimeout", f"No heartbeat within {heartbeat} seconds")


def refusal_of_answer(data: dict[str, Any]) -> Any:
    """The answer to SendTaskSuccess or SendTaskFailure when it comes too late or is not JSON; None otherwise.

    A token is answered once. Later, and after its time-out, the answer is TaskTimedOut.
    """
    info = sfn._task_tokens.get(data.get("taskToken"))
    if info is None or info["event"].is_set():
        return error_response_json("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'", 400)
    if "output" in data:
        try:
            json.loads(data["output"])
        except ValueError as error:
            return error_response_json("InvalidOutput", f"Invalid Output: {error}", 400)
    return None


def _seconds(state: dict[str, Any], field: str, raw_input: Any, context: dict[str, Any]) -> float | None:
    """A number of seconds, given as a number, as a JSONata expression, or by a path."""
    if f"{field}Path" in state:
        return float(sfn._resolve_path_or_ctx(state[f"{field}Path"], raw_input, context))
    if field not in state:
        return None
    if isinstance(state[field], str):
        return float(sfn._jsonata_state_field(state, field, "number", raw_input, context))
    return float(state[field])


def _resource_names(resource: str) -> dict[str, str]:
    """``resourceType`` and ``resource`` as a history shows them, e.g. ``aws-sdk:s3`` and ``getObject``."""
    if ":states:::" not in resource:
        return {"resourceType": resource.split(":")[2], "resource": resource}
    service, _, action = resource.partition(":states:::")[2].rpartition(":")
    return {"resourceType": service, "resource": action}
