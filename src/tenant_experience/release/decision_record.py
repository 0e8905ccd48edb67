"""What is known of a request for a decision without the right to decide: who was asked, who answered, and until when.

It is read from the request's item of the release table, of any version: what an item does not have is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# The attributes that are read. The task token and the codes are not among them.
ATTRIBUTES = (
    "id",
    "kind",
    "use_case",
    "status",
    "execution_arn",
    "expires_at",
    "asked",
    "votes",
    "outcome",
    "partitions",
    "approver",
    "reason",
    "decided_at",
    "superseded_by",
    "rules",
)


@dataclass(frozen=True)
class Asked:
    """Somebody who was asked.

    Attributes:
        address: where the request was sent.
        approver_id: what links call this approver.
    """

    address: str
    approver_id: str


@dataclass(frozen=True)
class Vote:
    """One approver's answer.

    Attributes:
        by: the name that was typed, with the address; or either.
        reason: why.
    """

    by: str
    reason: str


@dataclass(frozen=True)
class DecisionRecord:
    """A request for a decision, and what became of it.

    Attributes:
        approval_id: the release, or the roll-back.
        kind: ``release`` or ``take_back``.
        use_case: its use case; empty where the item does not have it.
        status: ``pending``, or how it ended.
        execution_arn: the execution that asked.
        expires_at: Unix seconds.
        asked: who was asked.
        votes: who answered.
        decided_at: ISO 8601 UTC; empty while nobody decided.
        superseded_by: the newer release; empty for none.
        quorum: how many have to approve.
        rejected: partition -> reason, of those that were rejected while others were approved.
    """

    approval_id: str
    kind: str
    use_case: str
    status: str
    execution_arn: str
    expires_at: int
    asked: tuple[Asked, ...]
    votes: tuple[Vote, ...]
    decided_at: str
    superseded_by: str
    quorum: int
    rejected: Mapping[str, str]


def read(item: Mapping[str, Any]) -> DecisionRecord:
    """A record from plain values, as they are after DynamoDB's types were taken off."""
    rules, outcome, names = (_document(item.get(name)) for name in ("rules", "outcome", "partitions"))
    asked = [each for each in item.get("asked", ()) if each.get("address")]
    return DecisionRecord(
        approval_id=str(item["id"]).removeprefix("approval#"),
        kind=str(item.get("kind", "release")),
        use_case=str(item.get("use_case", "")),
        status=str(item.get("status", "pending")),
        execution_arn=str(item.get("execution_arn", "")),
        expires_at=int(item.get("expires_at", 0)),
        asked=tuple(Asked(str(each["address"]), str(each.get("id", ""))) for each in asked),
        votes=_votes(item),
        decided_at=str(item.get("decided_at", "")),
        superseded_by=str(item.get("superseded_by", "")),
        quorum=int(rules.get("quorum", 1)),
        rejected={names.get(slug, slug): why for slug, why in _rejected(outcome.get("rejected") or {})},
    )


def _rejected(stored: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Slug and reason: stored as slug -> reason, or, as many partitions share one, as reason -> slugs."""
    for name, value in stored.items():
        if isinstance(value, str):
            yield name, value
        else:
            yield from ((str(slug), name) for slug in value)


def _votes(item: Mapping[str, Any]) -> tuple[Vote, ...]:
    cast = item.get("votes") or {}
    if cast:
        return tuple(Vote(_voter(vote), str(vote.get("reason", ""))) for vote in cast.values())
    # An item of an earlier version has one approver, who typed a name.
    return (Vote(str(item["approver"]), str(item.get("reason", ""))),) if item.get("approver") else ()


def _voter(vote: Mapping[str, Any]) -> str:
    name, address = str(vote.get("name", "")), str(vote.get("address", ""))
    return f"{name} ({address})" if name and address else name or address


def _document(value: Any) -> Mapping[str, Any]:
    """A JSON object, whether it is stored as text or as a map; empty for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
