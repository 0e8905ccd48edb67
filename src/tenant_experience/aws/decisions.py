"""A decision on its way: to the execution that waits for it, and a newer request that takes the place of older ones."""

from __future__ import annotations

import time

from tenant_experience.aws import approvals, audit, executions, request_index
from tenant_experience.aws.release_table import read_live
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.release import automatic, decision
from tenant_experience.release.approval import Approval

_LOOKS, _LOOK_SECONDS = 15, 0.2


def deliver(approval_id: str) -> Approval:
    """Passes what became of a request to the execution that waits for it, unless it has it.

    Returns:
        The request as it is then. When the execution had ended before, the decision counts for nothing.

    Raises:
        PlatformError: ``not_delivered``; the decision stays as it is, and is delivered when this is called again.
    """
    request, token = approvals.read_approval(approval_id)
    if request.delivered or request.status == "pending":
        return request
    if not approvals.claim_delivery(request, int(time.time())):
        if ended := _seen_to_end(request):
            return ended
        raise PlatformError("the decision is being passed on at this moment; look again", code="not_delivered")
    try:
        executions.answer(token, request.decision)
    except UserError:  # nobody waits; or an earlier call was taken and its answer lost, which RegisterModels says soon
        return _seen_to_end(request) or approvals.change(
            approval_id,
            # Of a request that has changed since, this token says nothing.
            lambda stored: decision.lost(stored) if stored.revision == request.revision else stored,
            lambda lost: [_row(lost, "withdrawn")] if lost.status != request.status else [],
        )
    except PlatformError:
        approvals.release_delivery(request)
        raise
    taken = receive(approval_id, request.status, request.decided_at)
    audit.append(approval_id, "delivered", use_case=request.use_case, decision=request.status)
    return taken


def _seen_to_end(request: Approval) -> Approval | None:
    """The request as soon as somebody else has written that its decision was delivered; None if nobody does for 3 s."""
    for _ in range(_LOOKS):
        stored, _token = approvals.read_approval(request.approval_id)
        if stored.delivered or stored.status != request.status:
            return stored
        time.sleep(_LOOK_SECONDS)
    return None


def deliver_now_or_later(approval_id: str) -> Approval:
    """Delivers what is recorded; FollowUpApprovals does it where that is not possible at the moment."""
    try:
        return deliver(approval_id)
    except PlatformError:
        return approvals.read_approval(approval_id)[0]


def receive(approval_id: str, status: str, decided_at: str) -> Approval:
    """Records that the waiting execution goes on by a decision, and gives the request as it is then."""
    return approvals.change(approval_id, lambda stored: decision.received(stored, status, decided_at))


def later_release(request: Approval) -> str | None:
    """The live release that began later than this one and has one of its partitions; None where there is none."""
    live = read_live(request.use_case)
    if live is None or request.kind != "release" or not request.started_at:
        return None
    return live.later_than(request.started_at, request.partitions)


def supersede(approval_id: str, by: str, decided_at: str) -> Approval:
    """Marks a request as superseded, and tells the execution that waits for it."""
    approvals.change(
        approval_id,
        lambda stored: decision.supersede(stored, by, decided_at),
        lambda changed: [_row(changed, "superseded", by=by)],
    )
    return deliver_now_or_later(approval_id)


def supersede_older(request: Approval, decided_at: str) -> Approval:
    """Lets the newest of the open requests for the same partitions take the place of the older ones.

    Returns:
        The request as it is then: superseded itself, if a release that began later is live or waits.
    """
    if live := later_release(request):
        return supersede(request.approval_id, live, decided_at)
    for approval_id in request_index.open_requests(request.use_case):
        other, _ = approvals.read_approval(approval_id)
        if approval_id == request.approval_id or other.kind != request.kind or not request.overlaps(other):
            continue
        if request.began_before(other):
            return supersede(request.approval_id, approval_id, decided_at)
        supersede(approval_id, request.approval_id, decided_at)
    return request


def approve_by_rules(request: Approval, decided_at: str) -> Approval:
    """Approves a request by the rules of its use case, if they say so; the caller delivers the decision."""
    return approvals.change(
        request.approval_id,
        lambda stored: decision.approve_by_rules(stored, decided_at),
        lambda changed: [
            audit.row(
                changed.approval_id,
                "decided",
                use_case=changed.use_case,
                by=automatic.APPROVER,
                because=changed.summary.automatic,
                outcome=changed.outcome.document() if changed.outcome else None,
                models=changed.models,
            )
        ],
    )


def withdraw(approval_id: str, by: str, reason: str, decided_at: str) -> Approval:
    """Withdraws a request, and tells the execution that waits for it.

    Raises:
        UserError: the request has ended before, or does not exist.
    """
    approvals.change(
        approval_id,
        lambda stored: decision.withdraw(stored, by, reason, decided_at),
        lambda changed: [_row(changed, "withdrawn", by=by, reason=reason)],
    )
    return deliver_now_or_later(approval_id)


def _row(request: Approval, event: audit.Event, by: str = "", reason: str = "") -> audit.Row:
    return audit.row(request.approval_id, event, use_case=request.use_case, by=by, reason=reason)
