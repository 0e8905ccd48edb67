"""Follows an execution live, state by state, with the child executions of a Distributed Map."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

_POLL_SECONDS = 0.4
_START_POLL_SECONDS = 0.2


@dataclass
class Watched:
    """What was seen of one execution so far.

    Attributes:
        arn: the execution.
        label: empty, or which child execution this is.
        entered: the states that run, with the Unix time when each was entered.
        visited: the states in the order they were entered first.
        seen: the id of the newest event that was read; ids are counted from 1.
    """

    arn: str
    label: str = ""
    entered: dict[str, float] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)
    seen: int = 0


@dataclass(frozen=True)
class Step:
    """A state that was entered (``seconds`` is None) or left."""

    label: str
    state: str
    seconds: float | None


def listed_executions(machine: str, **only: Any) -> set[str]:
    """The ARNs of a state machine's executions, newest thousand at most."""
    client = boto3.client("stepfunctions")
    listed = client.list_executions(stateMachineArn=machine, maxResults=1000, **only)["executions"]
    return {execution["executionArn"] for execution in listed}


def new_execution(
    machine: str, before: Collection[str], is_wanted: Callable[[dict[str, Any]], bool], seconds: float
) -> str | None:
    """Wait for an execution that was not there before.

    Args:
        machine: the ARN of the state machine.
        before: the ARNs of executions that are known.
        is_wanted: whether an execution with this input is the one; others may start at the same time.
        seconds: how long to wait.

    Returns:
        Its ARN; None when none has started.
    """
    client, others = boto3.client("stepfunctions"), set(before)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for arn in sorted(listed_executions(machine) - others):
            if is_wanted(json.loads(client.describe_execution(executionArn=arn)["input"])):
                return arn
            others.add(arn)
        time.sleep(_START_POLL_SECONDS)
    return None


def follow(
    client: SFNClient, arn: str, *, on_step: Callable[[Step], None], on_poll: Callable[[list[str]], None]
) -> tuple[dict[str, Any], list[str]]:
    """Follow an execution to its end.

    Args:
        client: a client of Step Functions.
        arn: the execution.
        on_step: called for every state entered or left.
        on_poll: called at every poll with the names of the states that run.

    Returns:
        the execution as Step Functions describes it at its end, and the states in the order they were entered first;
        those of children are called ``TrainModels/<state>``.
    """
    parent = Watched(arn)
    children: dict[str, Watched] = {}
    while True:
        execution = client.describe_execution(executionArn=arn)  # before the histories, so that no event is missed
        for step in _news(client, parent):
            on_step(step)
        for child in _children(client, arn):
            watched = children.setdefault(child, Watched(child, label=f"shard {len(children)}"))
            for step in _news(client, watched):
                on_step(step)
        on_poll([_name(watched.label, state) for watched in (parent, *children.values()) for state in watched.entered])
        if execution["status"] != "RUNNING":
            return dict(execution), _order(parent, children)
        time.sleep(_POLL_SECONDS)


def _name(label: str, state: str) -> str:
    return f"{state} ({label})" if label else state


def _order(parent: Watched, children: dict[str, Watched]) -> list[str]:
    order: list[str] = []
    below = list(dict.fromkeys(state for child in children.values() for state in child.visited))
    for state in parent.visited:
        order.append(state)
        if state == "TrainModels":
            order += [f"TrainModels/{name}" for name in below]
    return order


def _news(client: SFNClient, watched: Watched) -> Iterator[Step]:
    for event in _unread(client, watched):
        at = event["timestamp"].timestamp()
        if "stateEnteredEventDetails" in event:
            name = event["stateEnteredEventDetails"]["name"]
            watched.entered[name] = at
            if name not in watched.visited:
                watched.visited.append(name)
            yield Step(watched.label, name, None)
        elif "stateExitedEventDetails" in event:
            name = event["stateExitedEventDetails"]["name"]
            yield Step(watched.label, name, at - watched.entered.pop(name, at))


def _unread(client: SFNClient, watched: Watched) -> list[HistoryEventTypeDef]:
    """The events since the last look, oldest first. The history is long and read often, so it is read from its end."""
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=watched.arn, reverseOrder=True, includeExecutionData=False, PaginationConfig={"PageSize": 20}
    )
    events = (event for page in pages for event in page["events"])
    unread = list(takewhile(lambda event: event["id"] > watched.seen, events))
    watched.seen = unread[0]["id"] if unread else watched.seen
    return unread[::-1]


def _children(client: SFNClient, arn: str) -> list[str]:
    runs = client.list_map_runs(executionArn=arn)["mapRuns"]
    found = [
        (child["startDate"], child["executionArn"])
        for run in runs
        for page in client.get_paginator("list_executions").paginate(mapRunArn=run["mapRunArn"])
        for child in page["executions"]
    ]
    return [child for _, child in sorted(found)]


def reason(execution: dict[str, Any]) -> str:
    """Why an execution failed, in a line or two."""
    cause = str(execution.get("cause", ""))
    try:
        document = json.loads(cause)
    except ValueError:
        document = None
    if isinstance(document, dict):
        cause = str(
            document.get("ExitMessage") or document.get("FailureReason") or document.get("errorMessage") or cause
        )
    return f"{execution.get('error', execution['status'])}: {cause[:600]}"
