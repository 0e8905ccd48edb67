"""Requests for a decision, open and past, page by page and the newest first."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tenant_experience.aws import approvals
from tenant_experience.aws.release_table import dynamodb, key_of
from tenant_experience.data_layout import RELEASE_ID
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.release.approval import Approval, Status

_TIME = re.compile(r"[0-9T:.Z+-]{10,40}", re.ASCII)
_READ_AT_ONCE = 100
_MAX_QUERIES = 10
# A request whose time is over counts as expired before anybody has written that down.
_CONDITIONS = {
    "pending": "#status = :pending AND expires_at > :now",
    "expired": "#status = :expired OR #status = :pending AND expires_at <= :now",
}


@dataclass(frozen=True)
class Place:
    """Where a page begins: after a request, or with the newest of a use case.

    Attributes:
        use_case: whose requests come next.
        approval_id: the last request of the page before; empty for the beginning.
        requested_at: when it was made.
    """

    use_case: str
    approval_id: str = ""
    requested_at: str = ""

    @property
    def cursor(self) -> str:
        """The place as a client hands it back."""
        text = json.dumps([self.use_case, self.approval_id, self.requested_at])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str) -> Place:
        """The reverse of ``cursor``.

        Raises:
            UserError: ``bad_cursor``.
        """
        try:
            given = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        except ValueError:
            given = None
        if (
            not isinstance(given, list)
            or len(given) != 3
            or not all(isinstance(each, str) for each in given)
            or not (given[1:] == ["", ""] or (RELEASE_ID.fullmatch(given[1]) and _TIME.fullmatch(given[2])))
        ):
            raise UserError("leave the cursor out, or send it as the page before gave it", code="bad_cursor")
        return cls(*given)


@dataclass(frozen=True)
class Page:
    """Some requests, and where the next page begins; None after the last."""

    requests: list[Approval]
    next: Place | None


def read_page(use_cases: Sequence[str], status: Status | None, size: int, begin: Place | None, now: int) -> Page:
    """One page. It may be short, or empty, although another follows.

    Args:
        use_cases: whose requests, in this order.
        status: only those; None for all.
        size: how many at most.
        begin: where; None for the first page.
        now: Unix seconds.

    Raises:
        UserError: ``bad_cursor`` when it is of other use cases.
    """
    place = begin or (Place(use_cases[0]) if use_cases else None)
    if place is not None and place.use_case not in use_cases:
        raise UserError("this cursor is of another use case: leave it out", code="bad_cursor")
    found: list[Approval] = []
    for _ in range(_MAX_QUERIES):
        if place is None or len(found) >= size:
            break
        ids, place = _next(use_cases, status, size - len(found), place, now)
        found += [request for request in map(_read, ids) if request is not None]
    return Page(found, place)


def _next(
    use_cases: Sequence[str], status: Status | None, size: int, place: Place, now: int
) -> tuple[list[str], Place | None]:
    """The ids of the next requests, and the place after them."""
    answer = dynamodb().query(**_query(status, place, now))
    places = [_place(place.use_case, item) for item in answer["Items"]]
    last = answer.get("LastEvaluatedKey")
    following = use_cases[use_cases.index(place.use_case) + 1 :]
    if len(places) > size:
        places = places[:size]
        after: Place | None = places[-1]
    elif last:
        after = _place(place.use_case, last)
    else:
        after = Place(following[0]) if following else None
    return [each.approval_id for each in places], after


def _query(status: Status | None, place: Place, now: int) -> dict[str, Any]:
    condition = _CONDITIONS.get(status or "", "#status = :status" if status else "")
    values = {
        ":use_case": {"S": place.use_case},
        ":status": {"S": status or ""},
        ":pending": {"S": "pending"},
        ":expired": {"S": "expired"},
        ":now": {"N": str(now)},
    }
    used = f"use_case = :use_case {condition} ".replace("\n", " ").split()
    query: dict[str, Any] = {
        "TableName": setting("RELEASE_TABLE"),
        "IndexName": approvals.BY_USE_CASE,
        "KeyConditionExpression": "use_case = :use_case",
        "ExpressionAttributeValues": {name: value for name, value in values.items() if name in used},
        "ScanIndexForward": False,
        "Limit": _READ_AT_ONCE,
    }
    if condition:
        query |= {"FilterExpression": condition, "ExpressionAttributeNames": {"#status": "status"}}
    if place.approval_id:
        query["ExclusiveStartKey"] = {
            **key_of("approval", place.approval_id),
            "use_case": {"S": place.use_case},
            "requested_at": {"S": place.requested_at},
        }
    return query


def _place(use_case: str, item: dict[str, Any]) -> Place:
    return Place(use_case, item["id"]["S"].removeprefix("approval#"), item["requested_at"]["S"])


def _read(approval_id: str) -> Approval | None:
    try:
        return approvals.read_approval(approval_id)[0]
    except UserError:  # it is gone since the index was read
        return None
