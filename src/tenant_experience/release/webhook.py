"""A notice to operators as a chat or another program takes it: what happened, and the page of the run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tenant_experience.release.failure_email import OPERATOR

_MAX_TEXT = 3000
_LINK = re.compile(r"https?://\S+")
_RUN = re.compile(r"https://\S+/runs/[a-z0-9-]+\?signature=[\w-]+")


def body(form: str, subject: str, message: str, sent_at: str) -> bytes:
    """The JSON to post.

    What only an operator needs stays in the e-mail, and so does every link but that to the page of the run: nobody can
    decide by what is posted.

    Args:
        form: ``slack``, ``teams`` or ``json``.
        subject: of the notice.
        message: its text.
        sent_at: ISO 8601 UTC.
    """
    told = message.partition(f"\n{OPERATOR}\n")[0]
    run = _RUN.search(told)
    page = run[0] if run else ""
    kept = [line for line in told.splitlines() if line.strip() != page or not page]
    text = _LINK.sub("(a link is in the e-mail)", "\n".join(kept)).strip()
    return json.dumps(_FORMS[form](subject, text[:_MAX_TEXT], page, sent_at), ensure_ascii=False).encode()


def _slack(subject: str, text: str, page: str, _sent_at: str) -> dict[str, Any]:
    """https://docs.slack.dev/messaging/formatting-message-text: three characters are escaped."""
    lines = [f"*{_escaped(subject)}*", _escaped(text), *([f"<{page}|The page of the run>"] if page else [])]
    return {"text": "\n".join(lines), "unfurl_links": False, "unfurl_media": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(subject: str, text: str, page: str, _sent_at: str) -> dict[str, Any]:
    """A card, as the workflow "Post to a channel when a webhook request is received" takes it."""
    blocks = [
        {"type": "TextBlock", "text": subject, "weight": "Bolder", "wrap": True},
        # A RichTextBlock shows text as it is: no name in it becomes formatting.
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text}]},
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    if page:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "The page of the run", "url": page}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _json(subject: str, text: str, page: str, sent_at: str) -> dict[str, Any]:
    return {"subject": subject, "text": text, "run_page": page or None, "sent_at": sent_at}


_FORMS: dict[str, Callable[[str, str, str, str], dict[str, Any]]] = {"slack": _slack, "teams": _teams, "json": _json}
