"""Taking back: what would come back, who is asked about it, and the roll-back that does it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tenant_experience.aws import approvals, approvers, audit, executions, link_signature, release_table
from tenant_experience.environment import setting, whole_number
from tenant_experience.errors import UserError
from tenant_experience.release import approver, decision, take_back
from tenant_experience.release.approval import MAX_PARTITIONS, Approval, ApprovalSummary, Asked
from tenant_experience.release.release import LiveRelease, iso_time
from tenant_experience.release.take_back import TakeBack
from tenant_experience.release.vote import Vote

_MOST_ATTEMPTS = 50
# Words of a request for which nothing was trained.
_NEVER = ("rejected", "expired", "superseded", "withdrawn")


@dataclass(frozen=True)
class Wish:
    """What the input of a roll-back's execution asks for.

    Attributes:
        use_case: whose models.
        to: the release whose publication left what comes back.
        release: only the partitions in which this release answers; empty for all.
        partitions: only these; all when empty.
        features: whether the features of then are served again.
        reason: why.
        vote: of the approver who asked by a signed link; None of an operator's.
        mac: of that vote, which nobody but the page of the link can make.
    """

    use_case: str
    to: str
    release: str = ""
    partitions: Sequence[str] = ()
    features: bool = False
    reason: str = ""
    vote: Vote | None = None
    mac: str = ""

    def document(self) -> dict[str, Any]:
        """As it stands in the execution's input."""
        texts = {name: getattr(self, name) for name in ("use_case", "to", "release", "features", "reason", "mac")}
        voted = {"vote": self.vote.document()} if self.vote else {}
        return {**texts, "partitions": list(self.partitions), **voted}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Wish:
        """The reverse of ``document``."""
        vote = Vote.read(document["vote"]) if document.get("vote") else None
        return cls(**{**document, "partitions": tuple(document.get("partitions", ())), "vote": vote})


def plan(wish: Wish) -> tuple[TakeBack, LiveRelease]:
    """What would change, and the pointer now.

    Raises:
        UserError: as ``take_back.plan`` does; ``unknown_release`` when ``to`` was never published for the use case.
    """
    current = release_table.read_live(wish.use_case)
    asked = take_back.plan(
        current,
        state_after(wish.to, wish.use_case),
        use_case=wish.use_case,
        to=wish.to,
        release=wish.release,
        slugs=wish.partitions,
        features=wish.features,
    )
    assert current is not None  # noqa: S101 - the plan refuses it
    return replace(asked, reason=wish.reason), current


def state_after(release: str, use_case: str) -> LiveRelease:
    """The pointer right after a release of this use case was published.

    Raises:
        UserError: ``unknown_release``.
    """
    found = release_table.read_published(release)
    if found is None or (found.use_case or _use_case_of(release)) != use_case:
        raise UserError(f"no release {release!r} of {use_case} was ever published", code="unknown_release")
    return found.live


def _use_case_of(release: str) -> str:
    """Of a release that an earlier version of this program published."""
    try:
        return approvals.read_approval(release)[0].use_case
    except UserError:
        return ""


def before(release: str) -> str:
    """Whose publication came right before that of a release.

    Raises:
        UserError: ``not_live`` when it was never published, and ``no_earlier_release`` when it was the first.
    """
    found = release_table.read_published(release)
    if found is None:
        raise UserError(f"release {release} did not go live, so there is nothing to take back", code="not_live")
    if not found.after:
        raise UserError(
            f"release {release} is the first of its use case: no earlier one could answer again",
            code="no_earlier_release",
        )
    return found.after


def find_run(asked: TakeBack, current: LiveRelease) -> tuple[str, Approval | None]:
    """The id of the roll-back that does this, and its request if it was started. One that came to nothing is over."""
    for attempt in range(_MOST_ATTEMPTS):
        run = take_back.run_id(asked, current, attempt)
        try:
            request, _ = approvals.read_approval(run)
        except UserError:
            return run, None
        if request.status not in _NEVER:
            return run, request
    raise UserError("this was asked too often, and always came to nothing", code="too_many_attempts")


def virtual_request(run: str, asked: TakeBack, like: Approval) -> Approval:
    """The request as it will be, for the page by which an approver of a release starts it.

    Args:
        run: the roll-back's id.
        asked: what would change.
        like: the request about the release that is taken back; its rules hold for this one too.
    """
    named = {slug: like.partitions.get(slug, slug) for slug in asked.changes}
    return Approval(
        approval_id=run,
        execution_arn=_execution_arn(run),
        expires_at=like.expires_at,
        status="pending",
        kind="take_back",
        summary=_summary(run, asked, like),
        requested_by=like.requested_by,
        rules=like.rules,
        partitions=named if len(named) <= MAX_PARTITIONS else {},
        asked=like.asked,
    )


def request(wish: Wish, event: Mapping[str, Any], now: int) -> Approval:
    """What the approvers are asked.

    Args:
        wish: what is to be taken back.
        event: release (the run's id), execution_arn, started_at.
        now: Unix seconds.

    Raises:
        UserError: it cannot be taken back.
        ApproverNotSubscribedError: too few can be asked.
    """
    asked, current = plan(wish)
    like, _ = approvals.read_approval(wish.release or current.release)
    found = approver.who_may_decide(approvers.confirmed(), like.rules, like.requested_by)
    return replace(
        virtual_request(event["release"], asked, like),
        execution_arn=event["execution_arn"],
        expires_at=now + like.rules.expires_in(whole_number("APPROVAL_TIMEOUT_SECONDS")),
        requested_at=iso_time(now),
        started_at=event["started_at"],
        asked=tuple(Asked(each.address) for each in found),
    )


def _summary(run: str, asked: TakeBack, like: Approval) -> ApprovalSummary:
    return ApprovalSummary(
        release=run,
        use_case=asked.use_case,
        as_of=like.summary.as_of,
        live_release=asked.release or None,
        warnings=(),
        ready_count=len(asked.changes),
        refused_count=0,
        ready=(),
        refused=(),
        words=like.summary.words,
        take_back=asked,
    )


def first_vote(opened: Approval, wish: Wish, now: int) -> Approval:
    """Casts the vote of the approver who asked, once.

    Raises:
        UserError: ``bad_link`` when the vote is not one that the page took, ``not_an_approver`` when its approver is
            not one any more.
    """
    given = wish.vote
    if given is None:
        return opened
    link_signature.check(_vote_text(opened.approval_id, given), wish.mac)
    if opened.asked_as(given.id) is None:
        raise UserError("who asked to take this back is no longer an approver", code="not_an_approver")
    return approvals.change(
        opened.approval_id,
        lambda stored: stored if stored.vote_of(given.address) else decision.cast(stored, given, now),
        lambda changed: [
            audit.row(changed.approval_id, event, use_case=changed.use_case, address=given.address, **details)
            for event, details in _told(changed, given)
        ],
    )


def _told(changed: Approval, given: Vote) -> list[tuple[audit.Event, dict[str, Any]]]:
    rows: list[tuple[audit.Event, dict[str, Any]]] = [("voted", {"vote": given.document()})]
    if changed.outcome is not None:
        rows.append(("decided", {"outcome": changed.outcome.document()}))
    return rows


def start(run: str, wish: Wish) -> bool:
    """Starts the roll-back; False when somebody else has asked for it first. The same wish again changes nothing."""
    signed = replace(wish, mac=link_signature.sign(_vote_text(run, wish.vote))) if wish.vote else wish
    return executions.start_roll_back(run, signed.document())


def _vote_text(run: str, vote: Vote) -> bytes:
    return f"take-back-vote\n{run}\n{json.dumps(vote.document(), sort_keys=True)}".encode()


def _execution_arn(run: str) -> str:
    return f"{setting('ROLL_BACK_MACHINE').replace(':stateMachine:', ':execution:')}:{run}"
