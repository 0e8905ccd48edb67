"""What nobody waits for: links that were not sent yet, reminders, requests that expire, decisions not delivered yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience.aws import approval_mail, approvals, audit, decisions, request_index
from tenant_experience.errors import TenantExperienceError
from tenant_experience.release import decision, reminder
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.release import iso_time

# No request waits for longer than 30 days, and a decision that was not delivered in ten more is not waited for.
_LONGEST = 40 * 86400
# The function that asked, or that took the last vote, is given this time to send and to deliver by itself.
_OTHERS_FIRST = 600
_TROUBLES = (TenantExperienceError, ClientError, BotoCoreError)


@dataclass
class Done:
    """What was done: how many e-mails and requests.

    Attributes:
        asked: links that were sent now.
        reminded: reminders.
        expired: requests whose time is over.
        delivered: decisions that the waiting execution has taken or refused.
        failed: what failed, and is tried again the next time.
    """

    asked: int = 0
    reminded: int = 0
    expired: int = 0
    delivered: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Trouble:
    """What could not be done about one request."""

    approval_id: str
    error: Exception


def follow_up(use_cases: Iterable[str], now: int) -> tuple[Done, list[Trouble]]:
    """Does what is due about every request. What fails leaves the others alone.

    Args:
        use_cases: of the stack.
        now: Unix seconds.
    """
    done = Done()
    troubles: list[Trouble] = []
    for use_case in use_cases:
        for each in request_index.open_ends(use_case, iso_time(now - _LONGEST)):
            try:
                troubles += [Trouble(each.approval_id, error) for error in _follow(each, now, done)]
            except _TROUBLES as error:
                troubles.append(Trouble(each.approval_id, error))
    done.failed = len(troubles)
    return done, troubles


def _follow(each: request_index.OpenEnd, now: int, done: Done) -> list[Exception]:
    request, _ = approvals.read_approval(each.approval_id)
    if request.status == "pending" and now >= request.expires_at:
        request = approvals.change(
            request.approval_id,
            lambda stored: decision.expire(stored, now, iso_time(now)),
            lambda changed: [audit.row(changed.approval_id, "expired", use_case=changed.use_case)],
        )
        done.expired += request.status == "expired"
        _deliver(request, done)
        return []
    if request.status != "pending":
        if not request.decided_at or _seconds_since(request.decided_at, now) >= _OTHERS_FIRST:
            _deliver(request, done)
        return []
    return [*_ask(request, now, done), *_remind(request, now, done)]


def _deliver(request: Approval, done: Done) -> None:
    if not request.delivered:
        done.delivered += decisions.deliver(request.approval_id).delivered


def _ask(request: Approval, now: int, done: Done) -> list[Exception]:
    """Sends the links that could not be sent at first."""
    if _seconds_since(request.requested_at, now) < _OTHERS_FIRST:
        return []
    failed: list[Exception] = []
    for asked in request.asked:
        if asked.mailed:
            continue
        try:
            approval_mail.ask(request, asked, iso_time(now))
        except _TROUBLES as error:
            failed.append(error)
        else:
            done.asked += 1
    return failed


def _remind(request: Approval, now: int, done: Done) -> list[Exception]:
    """Reminds each once on each occasion: the mark is written first, and taken back when the e-mail cannot be sent."""
    occasion = reminder.due(request, now)
    failed: list[Exception] = []
    if occasion is None:
        return []
    for asked in reminder.those_who_wait(request):
        mark = f"{occasion}#{asked.id}"
        if not request_index.claim(request, mark):
            continue
        try:
            approval_mail.remind(request, asked, occasion)
        except _TROUBLES as error:
            request_index.give_back(request, mark)
            failed.append(error)
            continue
        done.reminded += 1
        try:
            _note_reminder(request, asked, occasion)
        except _TROUBLES as error:  # the reminder is sent, and must not be sent again
            failed.append(error)
    return failed


def _note_reminder(request: Approval, asked: Asked, occasion: reminder.Occasion) -> None:
    audit.append(request.approval_id, "reminded", use_case=request.use_case, address=asked.address, occasion=occasion)


def _seconds_since(when: str, now: int) -> float:
    return now - datetime.fromisoformat(when).timestamp() if when else now
