"""One execution that a test starts, follows to where it stops, examines and redrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3

from operations import releases
from operations.batch import RawBatch
from tenant_experience.release.failure import DECIDED
from tests.support.flow import Flow
from tests.support.waiting import until

# A release takes many seconds, and each look reads the whole mailbox.
_LOOK_EVERY_S = 0.4

Decide = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Stop:
    """Where an execution ended, and what it left behind there.

    Attributes:
        status: SUCCEEDED, FAILED, ...
        error: the execution's error; empty after success.
        cause: the execution's cause.
        state: the state entered last; ``TrainModels/TrainModel`` for a child that failed.
        live: the release that the API answers with.
        packages: status and reason of each model package of this release.
        endpoint: the endpoint's status; None when there is none.
        mail: the text of the e-mail about this stop.
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
    """A release that a test drives.

    Args:
        flow: the stack.
        decide: given the e-mail that asks for a decision, as soon as it arrives; approves when left out.
    """

    def __init__(self, flow: Flow, decide: Decide | None = None) -> None:
        self._flow = flow
        self._decide = decide or flow.decide
        self._states = boto3.client("stepfunctions")
        self._decided = False
        self.arn = ""

    @property
    def release(self) -> str:
        return self.arn.rpartition(":")[2]

    def start(self, batch: RawBatch) -> None:
        """Upload a batch and wait for the execution that its arrival starts."""
        self.arn = releases.start(self._flow.stack, batch)

    def redrive(self) -> Stop:
        """Redrive the execution and follow it to its next stop."""
        self.go_on()
        return self.follow()

    def go_on(self) -> None:
        """Redrive the execution without waiting."""
        self._states.redrive_execution(executionArn=self.arn)

    def stop(self) -> None:
        """Stop the execution, as a person does who needs no more of it."""
        self._states.stop_execution(executionArn=self.arn)
        until(self._has_ended, f"{self.release} did not stop")

    def until_entered(self, state: str) -> None:
        """Wait until a state, or one of a child, has been entered since the last redrive."""
        until(lambda: state in states_entered(self.events()), f"the execution did not enter {state}")

    def follow(self) -> Stop:
        """Wait for the end, deciding when asked."""
        until(self._has_ended, f"{self.release} did not end", every=_LOOK_EVERY_S)
        return self._look()

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """The history; the children's comes first."""
        arns = [*self.children(), self.arn]
        pages = (self._states.get_paginator("get_execution_history").paginate(executionArn=arn) for arn in arns)
        found = [dict(event) for listed in pages for page in listed for event in page["events"]]
        return [event for event in found if kind in event["type"]]

    def errors(self) -> list[str]:
        """The name of every error that a task met, in the order of the history; the children's come first."""
        details = [event.get("taskFailedEventDetails") for event in self.events("TaskFailed")]
        return [each["error"] for each in details if each is not None]

    def mails(self, subject: str) -> list[dict[str, Any]]:
        """All e-mails whose subject contains this."""
        return [mail for mail in self._flow.mailbox.messages() if subject in mail["subject"]]

    def failure_mails(self, error: str) -> list[dict[str, Any]]:
        """All e-mails about stops of this release by an error whose name begins so, or by a decision."""
        said = "The whole run, " if error in DECIDED else f"Error: {error}"
        return [mail for mail in self.mails(f"Release {self.release}: ") if said in mail["text"]]

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
        statuses = [each["EndpointStatus"] for each in listed if each["EndpointName"] == endpoint]
        return Stop(
            status=execution["status"],
            error=error,
            cause=execution.get("cause", ""),
            state=self._last_state(),
            live=live["release"] if live else None,
            packages=[(package["status"], package["reason"]) for package in self._flow.packages(self.release)],
            endpoint=statuses[0] if statuses else None,
            mail=self._mail(error) if error else "",
        )

    def _mail(self, error: str) -> str:
        """The e-mail about the newest stop; each stop has one."""
        ends = self._ends(error)
        until(lambda: len(self.failure_mails(error)) >= ends, f"there was no e-mail about {error!r}")
        return str(self.failure_mails(error)[0]["text"])

    def _ends(self, error: str) -> int:
        history = self._states.get_paginator("get_execution_history").paginate(executionArn=self.arn)
        ends = [event.get("executionFailedEventDetails") for page in history for event in page["events"]]
        return sum(1 for end in ends if end is not None and end.get("error") == error)

    def _last_state(self) -> str:
        names: list[str] = []
        for arn, prefix in ((self.arn, ""), *((child, "TrainModels/") for child in self.children()[-1:])):
            if prefix and names != ["TrainModels"]:
                break
            newest = self._states.get_execution_history(executionArn=arn, reverseOrder=True)["events"]
            entered = next(event for event in newest if "stateEnteredEventDetails" in event)
            names = [prefix + entered["stateEnteredEventDetails"]["name"]]
        return names[0]

    def children(self) -> list[str]:
        """The ARNs of the child executions, oldest first."""
        runs = self._states.list_map_runs(executionArn=self.arn)["mapRuns"]
        children = [
            child for each in runs for child in self._states.list_executions(mapRunArn=each["mapRunArn"])["executions"]
        ]
        return [child["executionArn"] for child in sorted(children, key=lambda child: child["startDate"])]


def states_entered(history: list[dict[str, Any]]) -> list[str]:
    """The names of the states entered since the last redrive that a history holds."""
    newest = max((n for n, event in enumerate(history) if event["type"] == "ExecutionRedriven"), default=0)
    return [
        event["stateEnteredEventDetails"]["name"] for event in history[newest:] if "stateEnteredEventDetails" in event
    ]
