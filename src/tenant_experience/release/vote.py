"""Votes about the partitions of a release, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenant_experience.errors import UserError
from tenant_experience.readable_text import readable
from tenant_experience.release.approver import approver_id

MAX_REASON = 800  # with the approver's address and name it must fit ApprovalDescription (1,024 characters)
MAX_NAME = 120
# What stands for every partition, where a vote is about the release as a whole.
ALL = "all"
_WHOLE = "*"
# What stands around names and addresses in ``Vote.by``: no name may look like another approver's.
_NOT_IN_NAMES = dict.fromkeys(map(ord, "();@\uff08\uff09\uff1b\uff20\ufe6b"), " ")
Form = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Vote:
    """What one approver answered. It names every partition, or is about all of them.

    Attributes:
        address: which the link was sent to; the vote is recorded under it. Empty for the rules of the use case.
        name: as typed; a courtesy.
        approved: the slugs of the partitions that may go live; None for all.
        rejected: slug -> why; ``*`` stands for all.
        reason: as typed.
        decided_at: ISO 8601 UTC.
    """

    address: str
    name: str
    approved: frozenset[str] | None
    rejected: Mapping[str, str]
    reason: str
    decided_at: str

    @property
    def id(self) -> str:
        """The approver's."""
        return approver_id(self.address)

    @property
    def by(self) -> str:
        """Who it is from, as a person reads it. The rules of a use case have a name and no address."""
        return f"{self.address} ({self.name})" if self.name and self.address else self.address or self.name

    @property
    def said(self) -> tuple[Any, ...]:
        """The vote without its time: the same form sent again says the same."""
        return self.id, self.name, self.approved, dict(self.rejected), self.reason

    def approves(self, slug: str) -> bool:
        """Whether a partition may go live."""
        return not self.rejects(slug) and (self.approved is None or slug in self.approved)

    def rejects(self, slug: str) -> bool:
        """Whether a partition may not."""
        return slug in self.rejected or _WHOLE in self.rejected

    def reason_for(self, slug: str) -> str:
        """Why a partition is approved or rejected."""
        return self.rejected.get(slug) or self.rejected.get(_WHOLE) or self.reason

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "address": self.address,
            "name": self.name,
            "approved": ALL if self.approved is None else sorted(self.approved),
            "rejected": _by_reason(self.rejected),
            "reason": self.reason,
            "decided_at": self.decided_at,
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Vote:
        """The reverse of ``document``."""
        sides = {"approved": _slugs(document["approved"]), "rejected": _reasons(document["rejected"])}
        return cls(**{**document, **sides})


@dataclass(frozen=True)
class Outcome:
    """What the votes decided.

    Attributes:
        approved: the slugs of the partitions that go live; None for all.
        rejected: slug -> why; ``*`` stands for all.
    """

    approved: frozenset[str] | None
    rejected: Mapping[str, str] = field(default_factory=dict)

    def approves(self, slug: str) -> bool:
        """Whether a partition goes live."""
        return self.approved is None or slug in self.approved

    @property
    def approves_any(self) -> bool:
        """Whether any does."""
        return self.approved is None or bool(self.approved)

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        approved = ALL if self.approved is None else sorted(self.approved)
        return {"approved": approved, "rejected": _by_reason(self.rejected)}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Outcome:
        """The reverse of ``document``."""
        return cls(_slugs(document["approved"]), _reasons(document["rejected"]))


def _slugs(stored: Any) -> frozenset[str] | None:
    return None if stored == ALL else frozenset(stored)


def _by_reason(rejected: Mapping[str, str]) -> dict[str, list[str]]:
    """Reason -> slugs: hundreds of partitions with one long reason must fit into an item."""
    return {
        reason: sorted(slug for slug, why in rejected.items() if why == reason)
        for reason in dict.fromkeys(rejected.values())
    }


def _reasons(stored: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {slug: reason for reason, slugs in stored.items() for slug in slugs}


def outcome_of(partitions: Iterable[str], votes: Sequence[Vote], quorum: int) -> Outcome | None:
    """What the votes decide; None while a partition is open.

    A partition is rejected as soon as one approver rejects it, and approved when ``quorum`` of them approve it.

    Args:
        partitions: the slugs of all that have a model; none where the release is decided as a whole.
        votes: one of each approver who has answered, the earliest first.
        quorum: how many must approve.
    """
    slugs = list(partitions)
    approved, rejected = set(), {}
    for slug in slugs or [_WHOLE]:
        if refusals := [vote for vote in votes if vote.rejects(slug)]:
            rejected[slug] = refusals[0].reason_for(slug)
        elif sum(vote.approves(slug) for vote in votes) >= quorum:
            approved.add(slug)
        else:
            return None
    return Outcome(None if approved == {_WHOLE} else frozenset(approved), rejected)


def read_vote(form: Form, *, address: str, partitions: Sequence[str], decided_at: str) -> Vote:
    """The vote of a submitted form.

    Args:
        form: field -> values. ``decision`` is ``approve`` or ``reject``; where there are several partitions,
            ``partition`` has the slugs of those that are approved.
        address: which the link was sent to.
        partitions: the slugs of all; none where the release is decided as a whole.
        decided_at: ISO 8601 UTC.

    Raises:
        UserError: ``bad_decision``, ``no_partition``, ``unknown_partition``, ``missing_reason``,
            ``missing_reject_reason``, ``name_too_long``, ``reason_too_long`` or ``reject_reason_too_long``.
    """
    decision = _text(form, "decision")
    name, reason, why_not = (_text(form, field) for field in ("approver", "reason", "reject_reason"))
    name = " ".join(name.translate(_NOT_IN_NAMES).split())
    if decision not in ("approve", "reject"):
        raise UserError("choose Approve or Reject", code="bad_decision")
    if len(name) > MAX_NAME:
        raise UserError(f"the name is {len(name)} characters long; shorten it to {MAX_NAME}", code="name_too_long")
    if len(reason) < 3:
        raise UserError(
            "enter a reason of at least 3 characters; it is recorded with the models", code="missing_reason"
        )
    for name_of, text in (("reason", reason), ("reject_reason", why_not)):
        if len(text) > MAX_REASON:
            raise UserError(
                f"the reason is {len(text)} characters long; shorten it to {MAX_REASON}", code=f"{name_of}_too_long"
            )
    if decision == "reject":
        return Vote(address, name, frozenset(), {_WHOLE: reason}, reason, decided_at)
    ticked = frozenset(form.get("partition", ())) if len(partitions) > 1 else frozenset(partitions)
    return Vote(address, name, *_split(ticked, partitions, why_not), reason, decided_at)


def _split(
    ticked: frozenset[str], partitions: Sequence[str], why_not: str
) -> tuple[frozenset[str] | None, dict[str, str]]:
    """The approved and the rejected partitions."""
    if not partitions:
        return None, {}
    if not ticked.issubset(partitions):
        raise UserError("the form names a model that this release does not have", code="unknown_partition")
    if not ticked:
        raise UserError("tick at least one model, or choose Reject", code="no_partition")
    rejected = [slug for slug in partitions if slug not in ticked]
    if rejected and len(why_not) < 3:
        raise UserError(
            "say in at least 3 characters why the models without a tick are rejected", code="missing_reject_reason"
        )
    return (ticked if rejected else None), dict.fromkeys(rejected, why_not)


def _text(form: Form, name: str) -> str:
    """A field as one line without hidden characters."""
    return readable((form.get(name) or ("",))[0])
