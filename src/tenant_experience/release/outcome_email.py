"""The e-mail to everyone who was asked, about what became of a release: plain text, and what is live now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenant_experience.errors import PlatformError
from tenant_experience.readable_text import readable_without_links
from tenant_experience.release.failure import sentence
from tenant_experience.release.release import readable_time
from tenant_experience.release.take_back import PREFIX

# Status -> heading of the subject, first sentence, and what follows from it.
_ENDS: dict[str, tuple[str, str, str]] = {
    "released": ("", "is live", ""),
    "rejected": (
        "it was rejected",
        "was rejected, so it did not go live",
        "What was live stays live. The models stay in the registry as Rejected, with the reason.",
    ),
    "expired": (
        "nobody decided in time",
        "did not go live: nobody decided in time",
        "What was live stays live. Upload the batch again to request a new decision.",
    ),
    "superseded": (
        "a later release took its place",
        "did not go live: a later release took its place",
        "To release this batch instead, upload it again.",
    ),
    "withdrawn": (
        "it was withdrawn",
        "was withdrawn, so it did not go live",
        "What was live stays live. To release this batch after all, upload it again.",
    ),
}
# The same of a roll-back.
_TAKEN_BACK: dict[str, tuple[str, str, str]] = {
    "taken_back": (
        "it was taken back",
        "is done",
        "What answered before answers again. In the registry the earlier models are Approved again, and the newer ones "
        "Rejected with the reason. A later release can follow as usual.",
    ),
    **{
        status: (f"not taken back: {why}", f"was not taken back: {why}", "What was live stays live.")
        for status, why in {
            "rejected": "an approver rejected it",
            "expired": "nobody decided in time",
            "superseded": "something else is live or asked for meanwhile",
            "withdrawn": "the request was withdrawn",
        }.items()
    },
}
# What each e-mail says before its link to the page of the run.
RUN_PAGE = "The whole run, from its start to its end"
# No colon and no slash, so that it is no link of another kind.
_ADDRESS = re.compile(r"[\w.+=-]+@[\w.-]+;?", re.ASCII)
_MAX_NAMED = 20
_MAX_REASON = 1000


@dataclass(frozen=True)
class Outcome:
    """What became of a release.

    Attributes:
        release: the release's id.
        use_case: its use case.
        status: ``released``, ``rejected``, ``expired``, ``superseded`` or ``withdrawn``.
        batch: the uploader's folder; empty where it is not known.
        decided_by: who decided, or ended it otherwise.
        reason: why.
        decided_at: ISO 8601 UTC; empty where nobody decided.
        as_of: the features' time.
        models: how many went live.
        not_approved: partition -> why, of a release of which only a part went live.
        live: the release that is live now; empty for none.
        previous: the one that was live before; empty for none.
        route: where clients ask; empty where nothing went live.
    """

    release: str
    use_case: str
    status: str
    batch: str = ""
    decided_by: str = ""
    reason: str = ""
    decided_at: str = ""
    as_of: str = ""
    models: int = 0
    not_approved: Mapping[str, str] = field(default_factory=dict)
    live: str = ""
    previous: str = ""
    route: str = ""

    @classmethod
    def read(cls, event: Mapping[str, Any], *, live: str, not_approved: Mapping[str, str], route: str) -> Outcome:
        """What the state machine says of an outcome, and what is known besides.

        Raises:
            PlatformError: ``unknown_status``.
        """
        if event["status"] not in _ENDS | _TAKEN_BACK:
            raise PlatformError(f"no e-mail is written about the status {event['status']}", code="unknown_status")
        is_live = event["status"] == "released"
        return cls(
            release=event["release"],
            use_case=event["use_case"],
            status=event["status"],
            batch=event["batch"],
            decided_by=event["approver"],
            reason=sentence(event["reason"]) if event["status"] == "superseded" else event["reason"],
            decided_at=event["decided_at"],
            as_of=event["as_of"],
            models=event["models"],
            not_approved=not_approved if is_live else {},
            live=live,
            previous=event["previous"],
            route=route if is_live else "",
        )


def write(outcome: Outcome, run_page: str, take_back: str = "") -> tuple[str, str]:
    """The subject and the text.

    Args:
        outcome: what is told.
        run_page: the link to the page of the run.
        take_back: the link by which its reader can take the release back; empty for none.
    """
    is_roll_back = outcome.release.startswith(PREFIX)
    heading, became, follows = (_TAKEN_BACK if is_roll_back else _ENDS)[outcome.status]
    what = "Roll-back" if is_roll_back else "Release"
    lines = [
        f"{what} {outcome.release} of {outcome.use_case} {became}.",
        *([follows] if follows else []),
        "",
        *_facts(outcome),
        *_not_approved(outcome.not_approved),
        "",
        *(["Clients ask here, with their API key:", outcome.route, ""] if outcome.route else []),
        f"{RUN_PAGE}:",
        run_page,
    ]
    if take_back:
        lines += ["", "To take this release back (opening the page changes nothing):", take_back]
    batch = f" (batch {readable_without_links(outcome.batch.rstrip('/').rpartition('/')[2])})" if outcome.batch else ""
    subject = f"{what} {outcome.release}: {heading}" if heading else f"Released: {outcome.release}"
    return f"{subject}{batch}", "\n".join(lines)


def with_run_page(text: str, run_page: str) -> str:
    """A text that somebody else wrote, with the link to the page of its run."""
    return f"{text.rstrip()}\n\n{RUN_PAGE}:\n{run_page}"


def _facts(outcome: Outcome) -> Iterator[str]:
    decided = outcome.decided_by if outcome.status in ("released", "rejected", "withdrawn", "taken_back") else ""
    withdrawn = outcome.status == "withdrawn"
    facts = {
        "withdrawn by" if withdrawn else "decided by": decided,
        "reason": outcome.reason[:_MAX_REASON],
        "ended" if outcome.status in ("expired", "superseded", "withdrawn") else "decided": (
            readable_time(outcome.decided_at) if outcome.decided_at else ""
        ),
        "batch": outcome.batch,
        "features as of": readable_time(outcome.as_of) if outcome.as_of else "",
        "models": str(outcome.models) if outcome.status in ("released", "taken_back") else "",
        "live now": outcome.live or "nothing yet",
        "live before": (outcome.previous or "nothing") if outcome.status in ("released", "taken_back") else "",
    }
    for name, value in facts.items():
        if value:
            yield f"  {name:15} {_words(value, name)}"


def _words(value: str, name: str) -> str:
    """A value without links. An approver's own address is one that mail programs may show as one."""
    if name not in ("decided by", "withdrawn by"):
        return readable_without_links(value)
    words = value.split(" ")
    return " ".join(each if _ADDRESS.fullmatch(each) else readable_without_links(each) for each in words)


def _not_approved(rejected: Mapping[str, str]) -> Iterator[str]:
    """The partitions that keep what they had, in the order of their names."""
    if not rejected:
        return
    yield ""
    yield "These models were not approved. What answered for them before goes on answering:"
    for name in sorted(rejected)[:_MAX_NAMED]:
        yield f"  {readable_without_links(name)}: {readable_without_links(rejected[name][:_MAX_REASON])}"
    if len(rejected) > _MAX_NAMED:
        yield f"  and {len(rejected) - _MAX_NAMED} more"
