"""One execution driven by hand: started, followed to where it stops, looked at, redriven."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3

from demo import batch, run
from tests.flow.conftest import Flow

LIMIT_S = 60.0
Decide = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Stop:
    """Where an execution ended, and what it left behind there.

    Attributes:
        status: SUCCEEDED, FAILED, ...
        error: the execution's; empty after success.
        cause: the execution's.
        state: entered last; ``TrainModels/TrainModel`` for a child that failed.
        live: the release that answers.
        packages: of this release, name of the status and reason.
        endpoint: the endpoint's status; None when there is none.
        mail: the text of the e-mail about this end.
    """

    status: str
    error: str
    cause: str
    state: str
    live: str | None
    packages: list[tuple[str, str]]
    endpoint: str | None
    mail: str = field(repr=False)


class Drive:
    """A release under way.

    Args:
        flow: the stack.
        decide: given the e-mail that asks for a decision, as soon as it is there.
    """

    def __init__(self, flow: Flow, decide: Decide | None = None) -> None:
        self._flow = flow
        self._decide = decide or self.approve
        self._states = boto3.client("stepfunctions")
        self._decided = False
        self.arn = ""

    @property
    def release(self) -> str:
        return self.arn.rpartition(":")[2]

    def approve(self, mail: dict[str, Any]) -> None:
        run.decide(mail, run.Choice("approve", "Tess Ter", "looks right"), self._flow.console)

    def start(self, work: batch.Batch) -> None:
        """Upload a batch and wait for the execution that its arrival starts."""
        before = self.executions()
        batch.upload(work, self._flow.bucket)
        until(lambda: self.executions() - before, "no execution started")
        (self.arn,) = self.executions() - before

    def redrive(self) -> Stop:
        """Go on where it stopped, to the next stop."""
        self.go_on()
        return self.follow()

    def go_on(self) -> None:
        """Redrive, and wait for nothing."""
        self._states.redrive_execution(executionArn=self.arn)

    def until_entered(self, state: str) -> None:
        """Wait until a state, or one of a child, has been entered since the last redrive."""

        def entered() -> bool:
            history = self.events()
            newest = max((n for n, event in enumerate(history) if event["type"] == "ExecutionRedriven"), default=0)
            names = [event.get("stateEnteredEventDetails", {}).get("name") for event in history[newest:]]
            return state in names

        until(entered, f"{state} is not entered")

    def follow(self) -> Stop:
        """Wait for the end, deciding when asked."""
        until(self._has_ended, "the execution hangs")
        return self._look()

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """The history, children's first."""
        arns = [*self._children(), self.arn]
        pages = (self._states.get_paginator("get_execution_history").paginate(executionArn=arn) for arn in arns)
        found = [dict(event) for listed in pages for page in listed for event in page["events"]]
        return [event for event in found if kind in event["type"]]

    def errors(self) -> list[str]:
        """The name of every error that a task met, in the order of the history; children's first."""
        details = [event.get("taskFailedEventDetails") for event in self.events("TaskFailed")]
        return [each["error"] for each in details if each is not None]

    def mails(self, subject: str) -> list[dict[str, Any]]:
        """All e-mails whose subject contains this."""
        return [mail for mail in self._flow.mailbox.messages() if subject in mail["subject"]]

    def executions(self) -> set[str]:
        machine = self._flow.stack.outputs["StateMachineArn"]
        listed = self._states.list_executions(stateMachineArn=machine)["executions"]
        return {execution["executionArn"] for execution in listed}

    def _has_ended(self) -> bool:
        if self._states.describe_execution(executionArn=self.arn)["status"] != "RUNNING":
            return True
        if not self._decided and (mail := self._flow.mailbox.find(f"Decision needed: release {self.release}")):
            self._decided = True
            self._decide(mail)
        return False

    def _look(self) -> Stop:
        execution = self._states.describe_execution(executionArn=self.arn)
        error = execution.get("error", "")
        live, endpoint = self._flow.live(), self._flow.stack.outputs["EndpointName"]
        listed = boto3.client("sagemaker").list_endpoints(NameContains=endpoint)["Endpoints"]
        return Stop(
            status=execution["status"],
            error=error,
            cause=execution.get("cause", ""),
            state=self._last_state(),
            live=live["release"] if live else None,
            packages=[(package["status"], package["reason"]) for package in self._flow.packages(self.release)],
            endpoint=listed[0]["EndpointStatus"] if listed else None,
            mail=self._mail(error) if error else "",
        )

    def _mail(self, error: str) -> str:
        """The e-mail about the newest end: one for each."""
        subject = f"Release {self.release}: {error}"
        ends = self._ends(error)
        until(lambda: len(self.mails(subject)) >= ends, f"no e-mail {subject!r}")
        return str(self.mails(subject)[0]["text"])

    def _ends(self, error: str) -> int:
        history = self._states.get_paginator("get_execution_history").paginate(executionArn=self.arn)
        ends = [event.get("executionFailedEventDetails") for page in history for event in page["events"]]
        return sum(1 for end in ends if end is not None and end.get("error") == error)

    def _last_state(self) -> str:
        names: list[str] = []
        for arn, prefix in ((self.arn, ""), *((child, "TrainModels/") for child in self._children()[-1:])):
            if prefix and names != ["TrainModels"]:
                break
            newest = self._states.get_execution_history(executionArn=arn, reverseOrder=True)["events"]
            entered = next(event for event in newest if "stateEnteredEventDetails" in event)
            names = [prefix + entered["stateEnteredEventDetails"]["name"]]
        return names[0]

    def _children(self) -> list[str]:
        runs = self._states.list_map_runs(executionArn=self.arn)["mapRuns"]
        children = [
            child for each in runs for child in self._states.list_executions(mapRunArn=each["mapRunArn"])["executions"]
        ]
        return [child["executionArn"] for child in sorted(children, key=lambda child: child["startDate"])]


def until(condition: Callable[[], Any], otherwise: str) -> None:
    """Wait for a condition, for a minute at most."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{otherwise} after {LIMIT_S:.0f} s"
        time.sleep(0.1)
