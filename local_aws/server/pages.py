"""The ``/_local`` pages: the mailbox, and what the two links of SNS's messages open.

SNS acts on these links when they are opened, whoever opens them; mail scanners do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import parse_qs

from local_aws.server.mail import Mail, Mailbox, links_in, working_here

Page = tuple[int, str, bytes]
_HTML = "text/html; charset=utf-8"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } nav { margin-bottom: 1rem; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; } dt { opacity: .7; } dd { margin: 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; border-top: 1px solid #8884; padding-top: 1rem; }
"""


class Pages:
    """Answers every path below ``/_local``."""

    def __init__(
        self, mailbox: Mailbox, url: str, confirm: Callable[[str, str], bool], unsubscribe: Callable[[str], bool]
    ) -> None:
        self._mailbox = mailbox
        self._url = url
        self._confirm = confirm
        self._unsubscribe = unsubscribe

    def answer(self, path: str, query_string: str) -> Page:
        """Status, content type and body of one page."""
        query = {name: values[0] for name, values in parse_qs(query_string).items()}
        if path == "/_local/status":
            return _json({"status": "ok"})
        if path == "/_local/mailbox":
            return _page(200, "Mailbox", _table(self._mailbox.newest_first()))
        if path == "/_local/mailbox.json":
            return _json([self._as_json(mail) for mail in self._mailbox.newest_first()])
        if path.startswith("/_local/mailbox/"):
            return self._message(path.removeprefix("/_local/mailbox/"))
        if path == "/_local/subscriptions/confirm":
            return self._confirmation(query)
        if path == "/_local/subscriptions/unsubscribe":
            return self._unsubscription(query)
        return _page(404, "Not found", f"<p>There is no page {escape(path)}.</p>")

    def _message(self, mail_id: str) -> Page:
        mail = self._mailbox.get(mail_id)
        if mail is None:
            return _page(404, "No such message", '<p><a href="/_local/mailbox">Mailbox</a></p>')
        return _page(200, mail.subject, _reading(mail, self._url))

    def _as_json(self, mail: Mail) -> dict[str, Any]:
        return {
            "id": mail.id,
            "to": mail.to,
            "from": mail.sender,
            "subject": mail.subject,
            "date": mail.date.isoformat(),
            "text": mail.text,
            "links": [working_here(link, self._url) for link in links_in(mail.text)],
            "url": f"{self._url}/_local/mailbox/{mail.id}",
        }

    def _confirmation(self, query: dict[str, str]) -> Page:
        """The link of the message that asks for a confirmation: whoever opens it has confirmed."""
        topic, token = query.get("TopicArn", ""), query.get("Token", "")
        if self._confirm(topic, token):
            return _page(200, "Subscription confirmed", f"<p>You will get the messages of {escape(topic)}.</p>")
        return _page(400, "Not confirmed", "<p>The link is not valid, or it was already used.</p>")

    def _unsubscription(self, query: dict[str, str]) -> Page:
        """The link at the end of a message: whoever opens it has unsubscribed."""
        if self._unsubscribe(query.get("SubscriptionArn", "")):
            return _page(200, "Unsubscribed", "<p>You will get no more messages.</p>")
        return _page(
            400, "Not unsubscribed", "<p>There is no such subscription, or only a signed request may end it.</p>"
        )


def _table(mails: list[Mail]) -> str:
    if not mails:
        return "<p>No message yet.</p>"
    rows = "".join(
        f"<tr><td>{mail.date:%Y-%m-%d %H:%M:%S}</td><td>{escape(mail.to)}</td>"
        f'<td><a href="/_local/mailbox/{mail.id}">{escape(mail.subject)}</a></td></tr>'
        for mail in mails
    )
    return f"<table><thead><tr><th>Date</th><th>To</th><th>Subject</th></tr></thead><tbody>{rows}</tbody></table>"


def _reading(mail: Mail, url: str) -> str:
    facts = (("From", mail.sender), ("To", mail.to), ("Date", f"{mail.date:%Y-%m-%d %H:%M:%S %z}"))
    head = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f'<nav><a href="/_local/mailbox">Mailbox</a></nav><dl>{head}</dl><pre>{_with_links(mail.text, url)}</pre>'


def _with_links(text: str, url: str) -> str:
    """The escaped text, with its URLs as links that work here."""
    parts, position = [], 0
    for link in links_in(text):
        start = text.index(link, position)
        here = escape(working_here(link, url))
        parts += [escape(text[position:start]), f'<a href="{here}" rel="noreferrer">{here}</a>']
        position = start + len(link)
    return "".join([*parts, escape(text[position:])])


def _page(status: int, title: str, body: str) -> Page:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return status, _HTML, html.encode()


def _json(value: Any) -> Page:
    return 200, "application/json", json.dumps(value, indent=1).encode()
