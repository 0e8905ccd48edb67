"""Run state machines on the server: definitions in, executions out."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any


def eventually(look: Callable[[], Any], limit_s: float = 20.0) -> Any:
    """The first truthy answer of ``look``; an AssertionError when none comes in time."""
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r}"
        time.sleep(0.05)
    return found


class Machines:
    """Creates a machine a definition and waits for its executions."""

    def __init__(self, client: Any, role_arn: str, prefix: str = "machine") -> None:
        self.client = client
        self._role_arn = role_arn
        self._prefix = prefix
        self._numbers = itertools.count()

    def create(self, states: dict[str, Any], **machine: Any) -> str:
        """A JSONata machine that starts with the first state; ``machine`` adds or replaces top-level fields."""
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **machine}
        made = self.client.create_state_machine(
            name=f"{self._prefix}-{next(self._numbers)}", definition=json.dumps(definition), roleArn=self._role_arn
        )
        return str(made["stateMachineArn"])

    def start(self, states: dict[str, Any], given: Any = None, **machine: Any) -> str:
        arn = self.create(states, **machine)
        return str(self.client.start_execution(stateMachineArn=arn, input=json.dumps(given or {}))["executionArn"])

    def run(self, states: dict[str, Any], given: Any = None, **machine: Any) -> dict[str, Any]:
        """The execution's description once it has ended."""
        return self.wait(self.start(states, given, **machine))

    def output(self, states: dict[str, Any], given: Any = None, **machine: Any) -> Any:
        """The output of an execution that must succeed."""
        done = self.run(states, given, **machine)
        assert done["status"] == "SUCCEEDED", (done.get("error"), done.get("cause"))
        return json.loads(done["output"])

    def wait(self, execution_arn: str, limit_s: float = 30.0) -> dict[str, Any]:

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client.describe_execution(executionArn=execution_arn)
            return found if found["status"] != "RUNNING" else None

        found: dict[str, Any] = eventually(ended, limit_s)
        return found

    def events(self, execution_arn: str) -> list[dict[str, Any]]:
        found = self.client.get_execution_history(executionArn=execution_arn, maxResults=1000)
        return list(found["events"])

    def entered(self, execution_arn: str) -> list[str]:
        """Names of the states entered, in order."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.events(execution_arn)
            if event["type"].endswith("StateEntered")
        ]
