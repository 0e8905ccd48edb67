"""Runs an execution, one state after another, with time-outs, aborts, limits and a full history."""

from __future__ import annotations

import contextvars
import copy
import json
import logging
import threading
from typing import Any

from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields, limits, running, task
from local_aws.ministack_patches.states.running import Execution, InterruptedRunError, Run, add_event

logger = logging.getLogger("states")
_finishing = threading.Lock()
_FINAL_EVENT = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}


def install() -> None:
    """Replace MiniStack's two loops over states by one."""
    sfn._run_execution = run_execution
    sfn._run_sub_machine = run_branch
    sfn._add_event = add_event


def start_thread(execution_arn: str) -> None:
    """Run an execution in a thread of its own, in the caller's account and region."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run_execution, execution_arn), daemon=True).start()


def run_execution(execution_arn: str) -> None:
    """Run a state machine to its end, from its start or from where a redriven execution stopped."""
    execution = sfn._executions[execution_arn]
    machine = sfn._state_machines.get(execution["stateMachineArn"])
    if machine is None:
        finish(execution, "FAILED", error="States.Runtime", cause="The state machine does not exist any more")
        return
    definition = json.loads(machine["definition"])
    run = Run(execution, machine.get("roleArn", ""))
    run.activate()
    timer = _machine_timer(definition, run)
    try:
        position = execution.get("_position") or {
            "state": definition["StartAt"],
            "input": json.loads(execution["input"]),
            "variables": {},
        }
        context = machine_context(execution, machine, definition.get("QueryLanguage", "JSONPath"))
        context["variables"] = position["variables"]
        output = walk(definition["States"], position["state"], position["input"], execution, context, is_root=True)
        finish(execution, "SUCCEEDED", output=json.dumps(output))
    except InterruptedRunError:
        logger.info("Execution %s ended as %s", execution_arn, execution["status"])
    except sfn._ExecutionError as error:
        finish(execution, "FAILED", error=error.error, cause=error.cause)
    except Exception as error:  # an error here or in MiniStack: the execution must end and say so
        logger.exception("Unexpected error in execution %s", execution_arn)
        finish(execution, "FAILED", error="States.Runtime", cause=f"{type(error).__name__}: {error}")
    finally:
        if timer is not None:
            timer.cancel()
        run.forget()


def walk(
    states: dict[str, Any],
    start_at: str,
    data: Any,
    execution: Execution,
    context: dict[str, Any],
    *,
    is_root: bool = False,
) -> Any:
    """Run states from ``start_at`` until one ends; returns its output.

    Raises:
        sfn._ExecutionError: a state failed and nothing caught it.
        InterruptedRunError: the execution ended meanwhile.
    """
    current = copy.deepcopy(data)
    name: str | None = start_at
    while name:
        running.current().check()
        state = states.get(name)
        if state is None:
            raise sfn._ExecutionError("States.Runtime", f"State '{name}' not found in definition")
        if is_root:
            variables = copy.deepcopy(context["variables"])
            execution["_position"] = {"state": name, "input": current, "variables": variables}
        context["State"] = {"Name": name, "EnteredTime": fields.now_iso(), "RetryCount": 0}
        _add_state_event(execution, state["Type"], "Entered", name, "input", current)
        current, following = _run_state(state, current, execution, context)
        limits.check_payload(current, f"state '{name}'")
        _add_state_event(execution, state["Type"], "Exited", name, "output", current)
        name = following
    return current


def run_branch(states: dict[str, Any], start_at: str, data: Any, execution: Execution, context: dict[str, Any]) -> Any:
    """Run a branch, or an item of an inline Map. It sees outer variables and changes only its own."""
    own = {**context, "variables": dict(context.get("variables", {}))}
    return walk(states, start_at, data, execution, own)


def machine_context(execution: Execution, machine: dict[str, Any], query_language: str) -> dict[str, Any]:
    """The context object (``$states.context``) an execution starts with."""
    return {
        "QueryLanguage": query_language,
        "Execution": {
            "Id": execution["executionArn"],
            "Input": json.loads(execution["input"]),
            "Name": execution["name"],
            "RoleArn": machine.get("roleArn", ""),
            "StartTime": execution["startDate"],
            "RedriveCount": execution.get("redriveCount", 0),
            **({"RedriveTime": execution["redriveDate"]} if execution.get("redriveDate") else {}),
        },
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": machine["name"]},
        "variables": {},
    }


def finish(execution: Execution, status: str, **outcome: str | None) -> bool:
    """End an execution once; later attempts change nothing and return False.

    Args:
        execution: MiniStack's record.
        status: SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
        outcome: ``output``, or ``error`` and ``cause``.
    """
    with _finishing:
        if execution["status"] != "RUNNING":
            return False
        said = {name: value for name, value in outcome.items() if value is not None}
        execution.update(said, stopDate=fields.now_iso())
        if status == "SUCCEEDED":
            execution.pop("_position", None)  # where a redrive would go on
        event = f"Execution{_FINAL_EVENT[status]}"
        add_event(execution, event, {f"{event[0].lower()}{event[1:]}EventDetails": said})
        execution["status"] = status  # last, so that code that sees the status finds the rest
    if execution.get("mapRunArn") is None:
        sfn._emit_execution_status_event(execution)
    return True


def _run_state(
    state: dict[str, Any], data: Any, execution: Execution, context: dict[str, Any]
) -> tuple[Any, str | None]:
    kind = state["Type"]
    if kind == "Fail":
        raise sfn._ExecutionError(*sfn._fail_state_error(state, data, context))
    if kind == "Succeed":
        return _succeed(state, data, context), None
    handler = {
        "Pass": sfn._execute_pass,
        "Task": task.execute_task,
        "Choice": _choose,
        "Wait": sfn._execute_wait,
        "Parallel": sfn._execute_parallel,
        "Map": sfn._execute_map,
    }.get(kind)
    if handler is None:
        raise sfn._ExecutionError("States.Runtime", f"Unknown state type: {kind}")
    arguments = (state, data, execution, context) if kind in ("Task", "Parallel", "Map") else (state, data, context)
    output, following = handler(*arguments)
    return output, following


def _succeed(state: dict[str, Any], data: Any, context: dict[str, Any]) -> Any:
    if fields.is_jsonata(state, context):
        return sfn._apply_jsonata_output(state, data, context, default=data)
    return sfn._apply_output_path(state, sfn._apply_input_path(state, data, context), context)


def _choose(state: dict[str, Any], data: Any, context: dict[str, Any]) -> tuple[Any, str | None]:
    """MiniStack's Choice, with the state's own Output when no rule matched."""
    output, following = sfn._execute_choice(state, data, context)
    rules = state.get("Choices", [])
    is_default = following == state.get("Default") and not any(rule.get("Next") == following for rule in rules)
    if is_default and fields.is_jsonata(state, context):
        output = sfn._apply_jsonata_output(state, data, context, default=output)
    return output, following


def _machine_timer(definition: dict[str, Any], run: Run) -> threading.Timer | None:
    """A timer that ends the execution after the machine's TimeoutSeconds."""
    seconds = definition.get("TimeoutSeconds")
    if seconds is None:
        return None

    def time_out() -> None:
        if finish(run.execution, "TIMED_OUT"):
            run.end()

    timer = threading.Timer(seconds, contextvars.copy_context().run, args=(time_out,))
    timer.daemon = True
    timer.start()
    return timer


def _add_state_event(execution: Execution, kind: str, what: str, name: str, field: str, value: Any) -> None:
    details = {"name": name, field: json.dumps(value)}
    add_event(execution, f"{kind}State{what}", {f"state{what}EventDetails": details})
