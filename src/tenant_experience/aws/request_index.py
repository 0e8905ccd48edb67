"""Requests for a decision by use case and time, and the marks by which the follow-up does nothing twice."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tenant_experience.aws.approvals import BY_USE_CASE
from tenant_experience.aws.release_table import dynamodb, key_of, update_if
from tenant_experience.environment import setting
from tenant_experience.release.approval import Approval

# Before every time: a key cannot be compared with an empty text.
_FIRST = "0"
_LEASE = key_of("lease", "follow_up_approvals")


@dataclass(frozen=True)
class OpenEnd:
    """A request with something left to do.

    Attributes:
        approval_id: which.
        is_pending: whether it waits for answers; otherwise for the delivery of its decision.
    """

    approval_id: str
    is_pending: bool


def open_ends(use_case: str, since: str) -> list[OpenEnd]:
    """The requests of a use case that are pending, or whose decision has not been delivered; the oldest first.

    Args:
        use_case: whose.
        since: requests that were made before this time (ISO 8601 UTC) are left out.
    """
    wanted = "#status = :pending OR attribute_not_exists(delivered)"
    return [OpenEnd(_id(item), item["status"]["S"] == "pending") for item in _requests(use_case, wanted, since=since)]


def open_requests(use_case: str) -> list[str]:
    """The ids of the requests of a use case that are pending, the newest first."""
    return [_id(item) for item in _requests(use_case, "#status = :pending", newest_first=True)]


def _requests(
    use_case: str, wanted: str, *, since: str = _FIRST, newest_first: bool = False
) -> Iterator[dict[str, Any]]:
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=setting("RELEASE_TABLE"),
            IndexName=BY_USE_CASE,
            KeyConditionExpression="use_case = :use_case AND requested_at > :since",
            FilterExpression=wanted,
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":use_case": {"S": use_case},
                ":since": {"S": since},
                ":pending": {"S": "pending"},
            },
            ScanIndexForward=not newest_first,
        )
    )
    return (item for page in pages for item in page["Items"])


def _id(item: dict[str, Any]) -> str:
    return str(item["id"]["S"]).removeprefix("approval#")


def claim(request: Approval, mark: str) -> bool:
    """Marks something as done for this very request; False when it was done before, or the request has ended."""
    return _mark(
        request, mark, "ADD", "#status = :pending AND (attribute_not_exists(reminded) OR NOT contains(reminded, :mark))"
    )


def give_back(request: Approval, mark: str) -> None:
    """Takes a mark away, because what it stands for failed."""
    _mark(request, mark, "DELETE", "#status <> :pending OR contains(reminded, :mark)")


def _mark(request: Approval, mark: str, verb: str, condition: str) -> bool:
    return update_if(
        Key=key_of("approval", request.approval_id),
        UpdateExpression=f"{verb} reminded :marks",
        ConditionExpression=f"expires_at = :expires AND ({condition})",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":marks": {"SS": [mark]},
            ":mark": {"S": mark},
            ":expires": {"N": str(request.expires_at)},
            ":pending": {"S": "pending"},
        },
    )


@contextmanager
def lease(now: int, seconds: int) -> Iterator[bool]:
    """Lets one caller at a time into the block; whether it is this one. A caller that dies loses the lease by time.

    Args:
        now: Unix seconds.
        seconds: longer than the caller can live.
    """
    holder = secrets.token_hex(8)
    is_mine = _write_lease(holder, now, now + seconds)
    try:
        yield is_mine
    finally:
        if is_mine:
            _write_lease(holder, now, 0)


def _write_lease(holder: str, now: int, until: int) -> bool:
    return update_if(
        Key=_LEASE,
        UpdateExpression="SET holder = :holder, #until = :until",
        ConditionExpression="attribute_not_exists(id) OR holder = :holder OR #until < :now",
        ExpressionAttributeNames={"#until": "until"},
        ExpressionAttributeValues={":holder": {"S": holder}, ":until": {"N": str(until)}, ":now": {"N": str(now)}},
    )
