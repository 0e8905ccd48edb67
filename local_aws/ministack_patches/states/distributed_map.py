"""Distributed Map under JSONata: every item is a child execution of a Map Run, with its own history.

MiniStack does not evaluate ItemReader, ItemSelector, Output and Assign of a JSONata Distributed Map. Children see no
outer variables, as on AWS, and get what they need through ItemSelector. The results are those of the children that
succeeded, in the order of the items.
"""

from __future__ import annotations

import contextvars
import copy
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for_futures
from typing import Any

from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields, limits, rights, running, walk
from local_aws.ministack_patches.states.map_run import MapRun
from local_aws.ministack_patches.states.running import Execution, InterruptedRunError, Run, add_event

_run_jsonpath_map = sfn._run_distributed_map
_MAX_CHILDREN_AT_ONCE = 64  # AWS: 10,000; here each is a thread
_NOT_EMULATED = ("ItemBatcher", "ResultWriter")


def install() -> None:
    """Replace the Distributed Map where the state is JSONata."""
    sfn._run_distributed_map = run_distributed_map


def run_distributed_map(
    state: dict[str, Any],
    raw_input: Any,
    effective: Any,
    processor: dict[str, Any],
    execution: Execution,
    context: dict[str, Any],
) -> tuple[Any, str | None]:
    """Run a Map state's items as child executions; returns its output and the next state.

    Raises:
        sfn._ExecutionError: ``States.ExceedToleratedFailureThreshold``, ``States.ItemReaderFailed``, ...
    """
    if not fields.is_jsonata(state, context):
        outcome: tuple[Any, str | None] = _run_jsonpath_map(state, raw_input, effective, processor, execution, context)
        return outcome
    for field in _NOT_EMULATED:
        if field in state:
            raise sfn._ExecutionError("States.Runtime", f"{field} of a Distributed Map is not emulated on a laptop")
    items = _items(state, raw_input, context)
    inputs = [_child_input(state, raw_input, context, index, item) for index, item in enumerate(items)]
    machine_arn = context["StateMachine"]["Id"]
    rights.demand_for_children("StartExecution", machine_arn)
    map_run = MapRun.start(state, execution, len(inputs), _limits(state, raw_input, context))
    if map_run.redrive_count:
        rights.demand_for_children("RedriveExecution", map_run.child_arn("*"))
    map_run.may_stop = rights.asker_about_children(map_run.child_arn("*"))
    add_event(execution, "MapStateStarted", {"mapStateStartedEventDetails": {"length": len(inputs)}})
    add_event(execution, "MapRunStarted", {"mapRunStartedEventDetails": {"mapRunArn": map_run.arn}})
    _run_children(map_run, processor, inputs, context)
    running.current().check()
    if map_run.has_exceeded:
        map_run.finish("FAILED")
        error = sfn._ExecutionError(
            "States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded"
        )
        details = {"error": error.error, "cause": error.cause}
        add_event(execution, "MapRunFailed", {"mapRunFailedEventDetails": details})
        raise error
    map_run.finish("SUCCEEDED")
    add_event(execution, "MapRunSucceeded")
    result = map_run.results()
    limits.check_payload(result, "Map Run")
    output = sfn._apply_jsonata_output(state, raw_input, context, result=result, default=result)
    sfn._apply_state_assign(state, raw_input, context, result=result)
    return output, fields.next_state(state)


def _items(state: dict[str, Any], raw_input: Any, context: dict[str, Any]) -> list[Any]:
    """What ItemReader or Items gives, otherwise the input. An object's items are its pairs of key and value."""
    if "ItemReader" in state:
        reader = sfn._apply_jsonata_template(state["ItemReader"], raw_input, context)
        rights.demand_for_reader(reader)
        try:
            items = sfn._read_map_items(reader, raw_input, context)
        except (ValueError, KeyError, TypeError) as error:
            raise sfn._ExecutionError("States.ItemReaderFailed", f"The items cannot be read: {error}") from error
    else:
        items = sfn._apply_jsonata_template(state["Items"], raw_input, context) if "Items" in state else raw_input
    if isinstance(items, dict):
        items = [{"Key": key, "Value": value} for key, value in items.items()]
    if not isinstance(items, list):
        raise sfn._ExecutionError(
            "States.ItemReaderFailed" if "ItemReader" in state else "States.QueryEvaluationError",
            f"A Map needs an array or an object, but found: {json.dumps(items)[:200]}",
        )
    return items


def _child_input(state: dict[str, Any], raw_input: Any, context: dict[str, Any], index: int, item: Any) -> Any:
    if "ItemSelector" not in state:
        return item
    with_item = {**context, "Map": {"Item": {"Index": index, "Value": item}}}
    return sfn._apply_jsonata_template(state["ItemSelector"], raw_input, with_item)


def _limits(state: dict[str, Any], raw_input: Any, context: dict[str, Any]) -> dict[str, float]:
    """The numbers of a Map state, given as numbers or expressions."""
    numbers: dict[str, float] = {}
    for field in ("MaxConcurrency", "ToleratedFailurePercentage", "ToleratedFailureCount"):
        if field in state:
            numbers[field] = float(sfn._jsonata_state_field(state, field, "number", raw_input, context))
    return numbers


def _run_children(map_run: MapRun, processor: dict[str, Any], inputs: list[Any], context: dict[str, Any]) -> None:
    """Run every child that has not succeeded in an earlier run, as many at once as the state allows."""
    running.current().on_end(map_run.abort)
    workers = min(map_run.max_concurrency or _MAX_CHILDREN_AT_ONCE, _MAX_CHILDREN_AT_ONCE, max(1, len(inputs)))
    with ThreadPoolExecutor(max_workers=workers) as pool:
        wait_for_futures(
            [
                pool.submit(contextvars.copy_context().run, _run_child, map_run, processor, index, given, context)
                for index, given in enumerate(inputs)
                if not map_run.has_succeeded(index)
            ]
        )


def _run_child(map_run: MapRun, processor: dict[str, Any], index: int, given: Any, context: dict[str, Any]) -> None:
    if map_run.is_over:
        map_run.skipped()
        return
    name = str(uuid.uuid4())
    child: Execution = {
        "executionArn": map_run.child_arn(name),
        "stateMachineArn": map_run.child_machine_arn,
        "name": name,
        "status": "RUNNING",
        "startDate": fields.now_iso(),
        "stopDate": None,
        "input": json.dumps(given),
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": {"included": True},
        "mapRunArn": map_run.arn,
        "redriveCount": map_run.redrive_count,
        "events": [],
        "testCase": "",
        "mockAttempts": {},
    }
    add_event(child, "ExecutionStarted", {"executionStartedEventDetails": {"input": child["input"]}})
    sfn._executions[child["executionArn"]] = child
    run = Run(child, context["Execution"].get("RoleArn", ""))
    run.activate()
    with map_run.child(index, run):
        _walk_child(child, processor, given, context)
    run.forget()


def _walk_child(child: Execution, processor: dict[str, Any], given: Any, context: dict[str, Any]) -> None:
    machine = {
        "name": context["StateMachine"]["Name"],
        "roleArn": context["Execution"].get("RoleArn", ""),
    }
    own = walk.machine_context(child, machine, processor.get("QueryLanguage", context["QueryLanguage"]))
    try:
        limits.check_payload(given, "Map's item")
        output = walk.walk(processor["States"], processor["StartAt"], copy.deepcopy(given), child, own)
        walk.finish(child, "SUCCEEDED", output=json.dumps(output))
    except InterruptedRunError:
        walk.finish(child, "ABORTED")
    except sfn._ExecutionError as error:
        walk.finish(child, "FAILED", error=error.error, cause=error.cause)
    except Exception as error:  # noqa: BLE001 a bug: the child must end, and say so
        walk.logger.exception("Unexpected error in execution %s", child["executionArn"])
        walk.finish(child, "FAILED", error="States.Runtime", cause=f"{type(error).__name__}: {error}")
