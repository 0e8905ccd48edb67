"""The rules by which a request changes: a vote, a newer release, a withdrawal. Each gives the request as it is then.

``aws.approvals`` writes the result if nobody has changed the request since it was read, and otherwise asks again.
"""

from __future__ import annotations

from dataclasses import replace

from tenant_experience.errors import UserError
from tenant_experience.release import automatic
from tenant_experience.release.approval import Approval
from tenant_experience.release.approver import approver_id
from tenant_experience.release.vote import Vote, outcome_of

ENDED = {
    "approved": "this release was already approved",
    "rejected": "this release was already rejected",
    "expired": "the time to decide is over",
    "superseded": "a newer release has taken the place of this one",
    "withdrawn": "this request was withdrawn",
}


def cast(request: Approval, vote: Vote, now: int) -> Approval:
    """The request after a vote. The same vote again changes nothing.

    Args:
        request: as it is.
        vote: of one approver.
        now: Unix seconds.

    Raises:
        UserError: ``already_decided``, ``expired``, ``superseded``, ``withdrawn``, ``already_voted`` or
            ``maker_may_not_decide``.
    """
    earlier = request.vote_of(vote.address)
    if earlier is not None and earlier.said == vote.said:
        return request
    check_open(request, now)
    if request.rules.maker == "may_not_decide" and approver_id(request.requested_by) == vote.id:
        raise UserError(
            "you uploaded this batch, and the rules of its use case leave the decision to others",
            code="maker_may_not_decide",
        )
    if earlier is not None:
        raise UserError("you have answered already, and your first answer counts", code="already_voted")
    votes = (*request.votes, vote)
    outcome = outcome_of(request.partitions, votes, request.rules.quorum)
    if outcome is None:
        return replace(request, votes=votes)
    status = "approved" if outcome.approves_any else "rejected"
    return replace(request, votes=votes, outcome=outcome, status=status, decided_at=vote.decided_at)  # type: ignore[arg-type]


def approve_by_rules(request: Approval, decided_at: str) -> Approval:
    """The request after the rules of its use case approved it, whatever its quorum is.

    One that has ended, or that people were asked about, stays as it is; and only people take a release back.
    """
    asked_people = bool(request.votes) or any(each.mailed for each in request.asked)
    says_so = request.rules.mode == "automatic" and request.summary.automatic and not request.summary.not_automatic
    if request.kind != "release" or request.status != "pending" or asked_people or not says_so:
        return request
    vote = Vote("", automatic.APPROVER, None, {}, request.summary.automatic, decided_at)
    outcome = outcome_of(request.partitions, [vote], 1)
    return replace(request, votes=(vote,), outcome=outcome, status="approved", decided_at=decided_at)


def check_open(request: Approval, now: int) -> None:
    """Accepts a request that may still be decided.

    Raises:
        UserError: ``already_decided``, ``expired``, ``superseded`` or ``withdrawn``.
    """
    if request.status in ENDED:
        decided = request.status in ("approved", "rejected")
        raise UserError(ENDED[request.status], code="already_decided" if decided else request.status)
    if now >= request.expires_at:
        raise UserError(ENDED["expired"], code="expired")


def supersede(request: Approval, by: str, decided_at: str) -> Approval:
    """The request after a newer release took its place. One that has ended stays as it is."""
    if request.status != "pending":
        return request
    return replace(
        request,
        status="superseded",
        superseded_by=by,
        approver=f"release {by}",
        reason=f"release {by}, which began later, has models for the same {request.summary.words.partitions}",
        decided_at=decided_at,
    )


def expire(request: Approval, now: int, decided_at: str) -> Approval:
    """The request once its time is over. One that has ended, or has time left, stays as it is."""
    if request.status != "pending" or now < request.expires_at:
        return request
    return replace(request, status="expired", approver="nobody", reason="no decision in time", decided_at=decided_at)


def withdraw(request: Approval, by: str, reason: str, decided_at: str) -> Approval:
    """The request after somebody withdrew it.

    Raises:
        UserError: ``already_decided``, ``expired``, ``superseded`` or ``withdrawn``.
    """
    check_open(request, 0)
    return replace(request, status="withdrawn", approver=by, reason=reason, decided_at=decided_at)


def lost(request: Approval) -> Approval:
    """The request after its execution ended before a decision reached it: the decision counts for nothing.

    A redrive asks anew. Should the execution have received the decision after all, it says so (see ``received``).
    """
    if request.delivered or request.status == "pending":
        return request
    if request.status not in ("approved", "rejected"):
        return replace(request, delivered=True)  # there is nobody left to be told
    reason = "its execution had ended before the decision reached it"
    return replace(request, status="withdrawn", approver="nobody", reason=reason)


def received(request: Approval, decision: str, decided_at: str) -> Approval:
    """The request once the waiting execution has a decision and goes on by it, whatever was thought before."""
    if decision == "expired" and request.status == "pending":
        return replace(request, status="expired", approver="nobody", reason="no decision in time", delivered=True)
    ended_so = decision in ("approved", "rejected") and request.outcome is not None
    if ended_so and request.decided_at == decided_at:
        return replace(request, status=decision, delivered=True, approver="", reason="")  # type: ignore[arg-type]
    return replace(request, delivered=True) if request.status == decision else request
