"""The e-mail that asks an approver whether a release is taken back: plain text, what would change, and one link."""

from __future__ import annotations

from tenant_experience.readable_text import readable_without_links
from tenant_experience.release.approval import Approval
from tenant_experience.release.release import readable_time
from tenant_experience.release.take_back import TakeBack

_MOST_NAMED = 20


def write(request: Approval, asked: TakeBack, link: str) -> tuple[str, str]:
    """The subject and the text."""
    lines = [
        f"Somebody asks to take back what answers for {asked.use_case}.",
        "",
        f"  why               {readable_without_links(asked.reason)}",
        f"  as it was after   {asked.to}",
        f"  models            {len(asked.changes)}",
        f"  features          {f'those of {asked.features} are served again' if asked.features else 'stay'}",
        "",
        *changed(request, asked),
        "",
        "Look at it and decide here (opening the page decides nothing):",
        link,
        "",
        f"The link works until {readable_time(request.expires_at)}. If nobody decides by then, nothing changes.",
    ]
    return f"Decision needed: take back {asked.release or asked.use_case} ({request.approval_id})", "\n".join(lines)


def changed(request: Approval, asked: TakeBack) -> list[str]:
    """A line for each partition: what answers now, and what answers again."""
    lines = [
        f"  {readable_without_links(request.partitions.get(slug, slug))}: {change.now or 'the global model'} now, then "
        f"{change.back or 'the global model'}"
        for slug, change in asked.changes.items()
    ]
    return [*lines[:_MOST_NAMED], *([f"  and {len(lines) - _MOST_NAMED} more"] if len(lines) > _MOST_NAMED else [])]
