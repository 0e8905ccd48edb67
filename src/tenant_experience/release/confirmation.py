"""The second step of a vote: the approver sees what it does, and shows that the mailbox is theirs.

A first form keeps the vote as a draft and, where the use case asks for a code, mails one that is good for this very
draft. A second form names the draft that was seen, and brings the code. So neither a program that fills in forms nor
whoever was forwarded the link decides.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from typing import Any

from tenant_experience.errors import UserError
from tenant_experience.release.approval import Approval
from tenant_experience.release.vote import Vote

DIGITS = 8
MAX_ATTEMPTS = 5
VALID_SECONDS = 15 * 60
MAX_CODES = 5
_HOUR = 3600


@dataclass(frozen=True)
class Draft:
    """A vote that was shown to its approver and is not recorded yet.

    Attributes:
        vote: what would be recorded.
        expires_at: Unix seconds; the code is good until then.
        mac: of the code, this request and this vote; empty where no code is asked for.
        attempts: how many codes may still be tried.
        sent: when the codes of the last hour were mailed, Unix seconds.
    """

    vote: Vote
    expires_at: int
    mac: str = ""
    attempts: int = MAX_ATTEMPTS
    sent: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """What a form calls the draft that its page shows."""
        return digest_of(self.vote)


def digest_of(vote: Vote) -> str:
    """Names a vote by its content."""
    return hashlib.sha256(json.dumps(vote.document(), sort_keys=True).encode()).hexdigest()[:32]


def signed_text(request: Approval, vote: Vote, code: str) -> bytes:
    """What the MAC of a code covers: it is good for this request, this approver and this vote only."""
    return b"\n".join((b"code", request.signed_text(vote.address), digest_of(vote).encode(), code.encode()))


def new_code() -> str:
    """Digits that nobody can foresee."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


def normal(code: str) -> str:
    """A code as it was mailed, however it was typed: spaces and hyphens between the digits do not matter."""
    typed = "".join(code.split()).replace("-", "")
    return typed if len(typed) == DIGITS and typed.isascii() and typed.isdigit() else ""


def next_draft(earlier: Draft | None, vote: Vote, now: int, *, mac: str) -> Draft:
    """The draft that takes the place of an earlier one.

    Raises:
        UserError: ``too_many_codes`` when an hour has had its codes.
    """
    sent = tuple(when for when in (earlier.sent if earlier else ()) if when > now - _HOUR)
    if mac:
        if len(sent) >= MAX_CODES:
            minutes = -(-(sent[0] + _HOUR - now) // 60)
            raise UserError(
                f"{MAX_CODES} codes were sent within an hour; use the newest one, or ask for another in {minutes} "
                "minutes",
                code="too_many_codes",
            )
        sent = (*sent, now)
    return Draft(vote, now + VALID_SECONDS, mac, MAX_ATTEMPTS, sent)


def attempt(draft: Draft, digest: str, now: int) -> Draft:
    """The draft after one more try at its code.

    Raises:
        UserError: ``another_draft``, ``code_expired`` or ``no_attempts``.
    """
    if draft.digest != digest:
        raise UserError(
            "you have given another answer since this page was shown; check the newest one", code="another_draft"
        )
    if now >= draft.expires_at:
        raise UserError("the code was good for 15 minutes, which are over; ask for another", code="code_expired")
    if draft.attempts <= 0:
        raise UserError("too many codes were tried; ask for another", code="no_attempts")
    return replace(draft, attempts=draft.attempts - 1)


def email(request: Approval, vote: Vote, code: str) -> tuple[str, str]:
    """The subject and the text of the e-mail with the code. It has no link: whoever reads it alone cannot decide."""
    release = request.approval_id
    lines = [
        f"You are about to answer: {in_a_word(request, vote)}",
        "",
        f"    {code[:4]} {code[4:]}",
        "",
        "Type this code into the page that asks for it. It is good for 15 minutes and for this answer only.",
        "",
        "If you have not just answered on the page about this release, do not pass the code on, and tell the operator:",
        "somebody else has the link that was sent to you.",
    ]
    return f"Your code to decide about release {release}", "\n".join(lines)


def in_a_word(request: Approval, vote: Vote) -> str:
    """What a vote says about a release."""
    if asked := request.summary.take_back:
        what = f"release {asked.release} of {request.use_case}" if asked.release else request.use_case
        return f"{'take back' if vote.approved is None or vote.approved else 'do not take back'} {what}"
    release = f"release {request.approval_id} of {request.use_case}"
    if vote.approved is None:
        return f"approve {release}"
    if not vote.approved:
        return f"reject {release}"
    return f"approve {len(vote.approved)} and reject {len(vote.rejected)} models of {release}"


def document(draft: Draft) -> dict[str, Any]:
    """As it is stored."""
    return {
        "vote": json.dumps(draft.vote.document()),
        "expires_at": draft.expires_at,
        "mac": draft.mac,
        "attempts": draft.attempts,
        "sent": list(draft.sent),
    }


def read(document: dict[str, Any]) -> Draft:
    """The reverse of ``document``."""
    return Draft(
        Vote.read(json.loads(document["vote"])),
        int(document["expires_at"]),
        document["mac"],
        int(document["attempts"]),
        tuple(int(when) for when in document["sent"]),
    )
