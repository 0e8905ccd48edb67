"""Parallel under JSONata: Arguments, Output and Assign, and branches with variables of their own."""

from __future__ import annotations

import contextvars
import threading
from typing import Any

from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields
from local_aws.ministack_patches.states.running import Execution

_run_jsonpath_branches = sfn._run_parallel_branches


def install() -> None:
    """Replace the running of branches where the state is JSONata."""
    sfn._run_parallel_branches = run_branches


def run_branches(
    state: dict[str, Any], raw_input: Any, execution: Execution, context: dict[str, Any]
) -> tuple[Any, str | None]:
    """Run every branch at the same time; the first branch's failure is the state's."""
    if not fields.is_jsonata(state, context):
        outcome: tuple[Any, str | None] = _run_jsonpath_branches(state, raw_input, execution, context)
        return outcome
    branch_input = sfn._apply_jsonata_arguments(state, raw_input, context)
    results: list[Any] = [None] * len(state["Branches"])
    errors: list[Exception] = []

    def run(index: int, branch: dict[str, Any]) -> None:
        try:
            results[index] = sfn._run_sub_machine(
                branch["States"], branch["StartAt"], branch_input, execution, dict(context)
            )
        except Exception as error:  # noqa: BLE001 raised again below, in the state's own thread
            errors.append(error)

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(run, index, branch), daemon=True)
        for index, branch in enumerate(state["Branches"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    output = sfn._apply_jsonata_output(state, raw_input, context, result=results, default=results)
    sfn._apply_state_assign(state, raw_input, context, result=results)
    return output, fields.next_state(state)
