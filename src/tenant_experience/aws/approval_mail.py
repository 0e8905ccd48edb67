"""The e-mails to single approvers, each with a link of their own."""

from __future__ import annotations

from tenant_experience.aws import approvals, audit, link_signature, notifications
from tenant_experience.environment import setting
from tenant_experience.release import approval_email, reminder
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.reminder import Occasion


def ask(request: Approval, asked: Asked, now: str) -> None:
    """Sends one link. It is recorded after sending: a function that fails in between sends a second copy, not none.

    Args:
        request: what is to be decided.
        asked: by whom.
        now: ISO 8601 UTC.
    """
    notifications.send_to(asked.address, *approval_email.write(request, _link(request, asked)))
    approvals.mark_mailed(request, asked, now)
    audit.append(request.approval_id, "asked", use_case=request.use_case, address=asked.address)


def remind(request: Approval, asked: Asked, occasion: Occasion) -> None:
    """Sends the same link again."""
    notifications.send_to(asked.address, *reminder.write(request, _link(request, asked), occasion))
    audit.append(request.approval_id, "reminded", use_case=request.use_case, address=asked.address, occasion=occasion)


def _link(request: Approval, asked: Asked) -> str:
    signature = link_signature.sign(request.signed_text(asked.address))
    return f"{setting('API_URL')}/approvals/{request.approval_id}?to={asked.id}&signature={signature}"
