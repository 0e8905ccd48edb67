"""When those who have not decided are reminded, and what they read."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from tenant_experience.release import approval_email, take_back_email
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.release import readable_time

Occasion = Literal["half", "last_day"]
_DAY = 86400


def due(request: Approval, now: int) -> Occasion | None:
    """The latest reminder that is due: at half time, and a day before the end where that is later.

    Args:
        request: as it is.
        now: Unix seconds.
    """
    if not request.rules.remind or not request.is_open(now) or not request.requested_at:
        return None
    asked_at = int(datetime.fromisoformat(request.requested_at).timestamp())
    half, last_day = asked_at + (request.expires_at - asked_at) // 2, request.expires_at - _DAY
    if half < last_day <= now:
        return "last_day"
    return "half" if half <= now else None


def those_who_wait(request: Approval) -> list[Asked]:
    """Who was sent a link and has not answered."""
    return [each for each in request.asked if each.mailed and request.vote_of(each.address) is None]


def write(request: Approval, link: str, occasion: Occasion) -> tuple[str, str]:
    """The subject and the text, to one approver."""
    take_back = request.summary.take_back
    subject, text = (
        take_back_email.write(request, take_back, link) if take_back else approval_email.write(request, link)
    )
    when = "You were asked some time ago" if occasion == "half" else "This is the last day"
    first = f"{when}, and your answer is still missing. The time to decide ends {readable_time(request.expires_at)}."
    return f"Reminder: {subject[:1].lower()}{subject[1:]}", f"{first}\n\n{text}"
