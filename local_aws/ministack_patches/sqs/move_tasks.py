"""Moves messages out of dead-letter queues, which MiniStack does not: StartMessageMoveTask and what belongs to it.

A moved message is a new one: it has a new id, and it has never been received. Without a rate all messages move at once.
Tasks are kept in memory. Source:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.concurrency import esm_wake
from ministack.core.responses import new_uuid
from ministack.services import sqs

from local_aws.ministack_patches.iam import permissions
from local_aws.ministack_patches.iam.permissions import Action, Session
from local_aws.ministack_patches.sqs import task_handle

_MOST_LISTED, _MOST_PER_SECOND = 10, 500
_REDRIVE = "RedrivePolicy"


@dataclass
class _Task:
    source: str
    destination: str | None
    per_second: int | None
    to_move: int
    handle: str
    status: str = "RUNNING"
    moved: int = 0
    reason: str = ""
    started: int = field(default_factory=lambda: int(time.time() * 1000))

    def described(self) -> dict[str, Any]:
        found = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "Status": self.status,
            "SourceArn": self.source,
            "DestinationArn": self.destination,
            "MaxNumberOfMessagesPerSecond": self.per_second,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.reason or None,
            "StartedTimestamp": self.started,
        }
        return {name: value for name, value in found.items() if value is not None}


_tasks: list[_Task] = []  # the newest last


def install() -> None:
    """Add the operations."""
    sqs._HANDLERS.update(
        StartMessageMoveTask=_start,
        ListMessageMoveTasks=_list,
        CancelMessageMoveTask=_cancel,
        ListDeadLetterSourceQueues=_list_sources,
    )


def _start(data: dict[str, Any], _url: str) -> dict[str, Any]:
    source, destination = str(data.get("SourceArn", "")), data.get("DestinationArn")
    queue = _queue(source, "SourceArn")
    if not _sources(queue):
        raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    if destination is not None:
        _queue(destination, "DestinationArn")
    rate = data.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= int(rate) <= _MOST_PER_SECOND:
        raise sqs._Err("InvalidParameterValue", f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid.")
    if any(task.source == source and task.status == "RUNNING" for task in _tasks):
        raise sqs._Err(
            "UnsupportedOperation",
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        )
    _check_caller(queue, destination)
    handle = task_handle.new(source)
    task = _Task(source, destination, None if rate is None else int(rate), len(queue["messages"]), handle)
    _tasks.append(task)
    if task.per_second is None:
        _move(task, queue, task.to_move)
        _end(task)
    else:
        threading.Thread(target=_move_slowly, args=(task, queue), daemon=True).start()
    return {"TaskHandle": task.handle}


def _move_slowly(task: _Task, queue: dict[str, Any]) -> None:
    while task.status == "RUNNING":
        _move(task, queue, min(task.per_second or 1, task.to_move - task.moved))
        if task.moved >= task.to_move:
            _end(task)
        else:
            time.sleep(1)


def _end(task: _Task) -> None:
    if task.status == "RUNNING":
        task.status = "COMPLETED"


def _move(task: _Task, queue: dict[str, Any], most: int) -> None:
    """Move messages to the queue they came from, or to the one that was named."""
    with sqs._queues_lock:
        now = time.time()
        for message in [m for m in queue["messages"] if m["visible_at"] <= now][:most]:
            origin = (message.get("sys") or {}).get("DeadLetterQueueSourceArn", "")
            target = sqs._queue_by_arn(task.destination or origin)
            if target is None:
                reason = "AWS.SimpleQueueService.NonExistentQueue" if origin else "CouldNotDetermineMessageSource"
                task.status, task.reason = "FAILED", reason
                return
            queue["messages"].remove(message)
            attributes = {k: v for k, v in (message.get("sys") or {}).items() if k != "DeadLetterQueueSourceArn"}
            fresh = {"id": new_uuid(), "receipt_handle": None, "receive_count": 0, "first_receive_at": None}
            target["messages"].append({**message, **fresh, "sent_at": now, "visible_at": now, "sys": attributes})
            task.moved += 1
    esm_wake.set()


def _list(data: dict[str, Any], _url: str) -> dict[str, Any]:
    source, most = str(data.get("SourceArn", "")), int(data.get("MaxResults") or 1)
    _queue(source, "SourceArn")
    if not 1 <= most <= _MOST_LISTED:
        raise sqs._Err("InvalidParameterValue", f"Value {most} for parameter MaxResults is invalid.")
    found = [task.described() for task in reversed(_tasks) if task.source == source]
    return {"Results": found[:most]}


def _cancel(data: dict[str, Any], _url: str) -> dict[str, Any]:
    for task in _tasks:
        if task.handle == data.get("TaskHandle"):
            if task.status != "RUNNING":
                raise sqs._Err("UnsupportedOperation", "Only active message movement tasks can be cancelled.")
            task.status = "CANCELLED"
            return {"ApproximateNumberOfMessagesMoved": task.moved}
    raise sqs._Err("ResourceNotFoundException", "Task does not exist.", 404)


def _list_sources(data: dict[str, Any], url: str) -> dict[str, Any]:
    queue = sqs._get_q(data.get("QueueUrl", url), "sqs:ListDeadLetterSourceQueues")
    found = sorted(source["url"] for source in _sources(queue))
    first, most = int(data.get("NextToken") or 0), int(data.get("MaxResults") or len(found) or 1)
    page: dict[str, Any] = {"queueUrls": [sqs._externalize_url(one) for one in found[first : first + most]]}
    if first + most < len(found):
        page["NextToken"] = str(first + most)
    return page


def _sources(queue: dict[str, Any]) -> list[dict[str, Any]]:
    """The queues whose dead letters go to ``queue``."""
    arn = queue["attributes"]["QueueArn"]
    policies = ((source, source["attributes"].get(_REDRIVE)) for source in list(sqs._queues.values()))
    return [source for source, policy in policies if policy and json.loads(policy).get("deadLetterTargetArn") == arn]


def _queue(arn: str, parameter: str) -> dict[str, Any]:
    found: dict[str, Any] | None = sqs._queue_by_arn(arn)
    if found is None:
        raise sqs._Err(
            "ResourceNotFoundException", f"The resource that you specified for the {parameter} parameter doesn't exist."
        )
    return found


def _check_caller(queue: dict[str, Any], destination: str | None) -> None:
    """A role that moves messages needs the rights to read and delete them there, and to send them on."""
    caller = iam_evaluator.caller_arn()
    if ":assumed-role/" not in caller:
        return
    account, (role, _, name) = caller.split(":")[4], caller.partition(":assumed-role/")[2].partition("/")
    session = Session(f"arn:aws:iam::{account}:role/{role}", name)
    source = queue["attributes"]["QueueArn"]
    targets = [destination] if destination else [one["attributes"]["QueueArn"] for one in _sources(queue)]
    needed = [Action(f"sqs:{right}", source) for right in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")]
    for action in (*needed, *(Action("sqs:SendMessage", target) for target in targets)):
        refused = permissions.refusal(session, action)
        if refused is not None:
            raise sqs._Err("AccessDenied", refused, 403)
