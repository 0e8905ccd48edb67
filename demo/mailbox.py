"""What a person does with an e-mail: wait for it, open its link, fill in the form that the page shows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx


class Mailbox:
    """The mailbox of the laptop's AWS.

    Args:
        url: of its page.
    """

    def __init__(self, url: str) -> None:
        self._url = f"{url}.json"

    def messages(self) -> list[dict[str, Any]]:
        """Every message, newest first: subject, text, links."""
        answer = httpx.get(self._url)
        answer.raise_for_status()
        messages: list[dict[str, Any]] = answer.json()
        return messages

    def find(self, subject: str) -> dict[str, Any] | None:
        """The newest message whose subject contains ``subject``."""
        return next((message for message in self.messages() if subject in message["subject"]), None)

    def wait_for(self, subject: str, *, seconds: float) -> dict[str, Any]:
        """The newest message whose subject contains ``subject``, as soon as it is there.

        Raises:
            TimeoutError: when it does not come in time.
        """
        deadline = time.monotonic() + seconds
        while (message := self.find(subject)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no e-mail with {subject!r} in its subject after {seconds:g} s")
            time.sleep(0.2)
        return message


@dataclass
class Form:
    """The first form of a page.

    Attributes:
        action: where it is sent, whole.
        fields: what it holds before anything is typed.
        names: every field a person may fill in.
    """

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, page: httpx.Response) -> Form:
        """Read the form of a page.

        Raises:
            ValueError: when the page has none.
        """
        parser = _FormParser(str(page.url))
        parser.feed(page.text)
        if parser.form is None:
            raise ValueError(f"{page.url} shows no form")
        return parser.form

    def submit(self, typed: Mapping[str, str]) -> httpx.Response:
        """Send the form as a browser does.

        Raises:
            ValueError: when something is typed into a field that the form does not have.
        """
        if unknown := set(typed) - self.names:
            raise ValueError(
                f"the form has no field {', '.join(sorted(unknown))}; it has {', '.join(sorted(self.names))}"
            )
        return httpx.post(self.action, data={**self.fields, **typed}, follow_redirects=True, timeout=30)


class _FormParser(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base
        self.form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None:
            self.form = Form(action=urljoin(self._base, given.get("action", "")))
        elif self.form is not None and tag in ("input", "textarea", "select") and "name" in given:
            self.form.names.add(given["name"])
            if given.get("type") == "hidden":
                self.form.fields[given["name"]] = given.get("value", "")
