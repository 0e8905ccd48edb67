"""Executions that were running when the server stopped end as FAILED with ``States.ServiceRestart``.

MiniStack marks them, but sends no event. Here rules get the event, and the executions can be redriven. Their task
tokens are gone: a redrive enters the waiting state again and makes a new token.
"""

from __future__ import annotations

from typing import Any

from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields
from local_aws.ministack_patches.states.running import add_event

_restore = sfn.load_persisted_state
_interrupted: list[str] = []


def install() -> None:
    """Remember which executions were running, while the state is read."""
    sfn.load_persisted_state = _load


def announce() -> None:
    """Send the status events of interrupted executions. Call this once the server answers."""
    while _interrupted:
        execution = sfn._executions.get(_interrupted.pop())
        if execution is not None:
            sfn._emit_execution_status_event(execution)


def _load(data: dict[str, Any]) -> Any:
    restored = _restore(data)
    for execution in sfn._executions.all_values():
        if execution.get("error") != "States.ServiceRestart" or _has_ended_in_history(execution):
            continue
        details = {"error": execution["error"], "cause": execution["cause"]}
        add_event(execution, "ExecutionFailed", {"executionFailedEventDetails": details})
        if execution.get("mapRunArn") is None:
            _interrupted.append(execution["executionArn"])
    for run in sfn._map_runs.all_values():
        if run["status"] == "RUNNING":
            run.update(status="FAILED", stopDate=fields.now_iso())
    return restored


def _has_ended_in_history(execution: dict[str, Any]) -> bool:
    """Whether it was announced at an earlier start."""
    events = execution.get("events") or [{}]
    return bool(events[-1].get("type") == "ExecutionFailed")
