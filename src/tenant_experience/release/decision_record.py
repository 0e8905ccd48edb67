"""What is known of a request for a decision without the right to decide: who was asked, who answered, and until when.

It is read from the request's item of the release table, of any version: what an item does not have is empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenant_experience.release.vote import Outcome, voter

# The attributes that are read. The task token and the codes are not among them.
ATTRIBUTES = (
    "id",
    "kind",
    "use_case",
    "execution_arn",
    "expires_at",
    "asked",
    "votes",
    "outcome",
    "partitions",
    "approver",
    "reason",
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
        by: the address, with the name that was typed; or either.
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
        execution_arn: the execution that asked.
        expires_at: Unix seconds.
        asked: who was asked.
        votes: who answered.
        quorum: how many have to approve.
        rejected: partition -> reason, of those that were rejected while others were approved.
    """

    approval_id: str
    kind: str
    use_case: str
    execution_arn: str
    expires_at: int
    asked: tuple[Asked, ...]
    votes: tuple[Vote, ...]
    quorum: int
    rejected: Mapping[str, str]


def read(item: Mapping[str, Any]) -> DecisionRecord:
    """A record from plain values, as they are after DynamoDB's types were taken off."""
    rules, outcome, names = (json.loads(item.get(name, "{}")) for name in ("rules", "outcome", "partitions"))
    rejected = Outcome.read(outcome).rejected if outcome else {}
    asked = [each for each in item.get("asked", ()) if each.get("address")]
    return DecisionRecord(
        approval_id=str(item["id"]).removeprefix("approval#"),
        kind=str(item.get("kind", "release")),
        use_case=str(item.get("use_case", "")),
        execution_arn=str(item.get("execution_arn", "")),
        expires_at=int(item.get("expires_at", 0)),
        asked=tuple(Asked(str(each["address"]), str(each.get("id", ""))) for each in asked),
        votes=_votes(item),
        quorum=int(rules.get("quorum", 1)),
        rejected={names.get(slug, slug): why for slug, why in rejected.items()},
    )


def _votes(item: Mapping[str, Any]) -> tuple[Vote, ...]:
    cast = item.get("votes") or {}
    if cast:
        return tuple(Vote(voter(vote["address"], vote["name"]), str(vote.get("reason", ""))) for vote in cast.values())
    # An item of an earlier version has one approver, who typed a name.
    return (Vote(str(item["approver"]), str(item.get("reason", ""))),) if item.get("approver") else ()
