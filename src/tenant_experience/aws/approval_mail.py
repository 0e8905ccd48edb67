"""The e-mails to single approvers, each with a link of their own."""

from __future__ import annotations

from tenant_experience.aws import approvals, audit, link_signature, notifications
from tenant_experience.environment import setting
from tenant_experience.release import approval_email, outcome_email, reminder, take_back_email
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.reminder import Occasion


def ask(request: Approval, asked: Asked, now: str) -> None:
    """Sends one link. It is recorded after sending: a function that fails in between sends a second copy, not none.

    Args:
        request: what is to be decided.
        asked: by whom.
        now: ISO 8601 UTC.
    """
    link, take_back = _link(request, asked), request.summary.take_back
    written = take_back_email.write(request, take_back, link) if take_back else approval_email.write(request, link)
    _send(request, asked, written)
    row = audit.row(request.approval_id, "asked", use_case=request.use_case, address=asked.address)
    approvals.mark_mailed(request, asked, now, [row])


def remind(request: Approval, asked: Asked, occasion: Occasion) -> None:
    """Sends the same link again."""
    _send(request, asked, reminder.write(request, _link(request, asked), occasion))


def _send(request: Approval, asked: Asked, written: tuple[str, str]) -> None:
    """Every e-mail about a run links its page."""
    subject, text = written
    run_page = link_signature.link_to_run(request.approval_id)
    notifications.send_to(asked.address, subject, outcome_email.with_run_page(text, run_page))


def _link(request: Approval, asked: Asked) -> str:
    signature = link_signature.sign(request.signed_text(asked.address))
    return f"{setting('API_URL')}/approvals/{request.approval_id}?to={asked.id}&signature={signature}"
