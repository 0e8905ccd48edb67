"""An execution is followed step by step: each step once, in its order, however long the history is."""

from __future__ import annotations

from typing import Any

from local_aws.tests.server.machines import Machines
from operations.watch import Step, follow

# A page of the history holds twenty events, and a state has two.
STATES = 30


def test_each_step_of_a_long_history_is_told_once(machines: Machines) -> None:
    names = [f"S{number}" for number in range(STATES)]
    states: dict[str, Any] = {
        name: {"Type": "Pass", "Next": following} for name, following in zip(names, [*names[1:], "Pause"], strict=True)
    }
    states |= {"Pause": {"Type": "Wait", "Seconds": 1, "Next": "End"}, "End": {"Type": "Succeed"}}
    steps: list[Step] = []
    running: list[list[str]] = []
    execution, visited = follow(
        machines.client, machines.start(states, {"a": 1}), on_step=steps.append, on_poll=running.append
    )
    assert execution["status"] == "SUCCEEDED"
    assert visited == [*names, "Pause", "End"]
    assert [step.state for step in steps if step.seconds is None] == visited
    assert [step.state for step in steps if step.seconds is not None] == visited
    assert ["Pause"] in running
    assert running[-1] == []
