"""The mailbox of the laptop's AWS, and the form behind the link of an e-mail."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx

from operations.errors import OperationError

_REQUEST_SECONDS = 120
_POLL_SECONDS = 0.2


class Mailbox:
    """The mailbox of the laptop's AWS.

    Args:
        url: the page that shows the e-mails.
    """

    def __init__(self, url: str) -> None:
        self._url = f"{url}.json"

    def messages(self) -> list[dict[str, Any]]:
        """Every message, newest first: subject, text, links."""
        answer = httpx.get(self._url, timeout=_REQUEST_SECONDS)
        answer.raise_for_status()
        messages: list[dict[str, Any]] = answer.json()
        return messages

    def find(self, subject: str, *, text: str = "", to: str = "") -> dict[str, Any] | None:
        """The newest message whose subject contains ``subject``.

        Args:
            subject: a part of it.
            text: a part of the text.
            to: the address that it was sent to; empty for any.
        """
        return next(
            (
                message
                for message in self.messages()
                if subject in message["subject"] and text in message["text"] and to in ("", message["to"])
            ),
            None,
        )

    def wait_for(self, subject: str, *, text: str = "", to: str = "", seconds: float = 300) -> dict[str, Any]:
        """Wait for a message as ``find`` describes it.

        Raises:
            OperationError: there is none after this many seconds.
        """
        deadline = time.monotonic() + seconds
        while (message := self.find(subject, text=text, to=to)) is None:
            if time.monotonic() > deadline:
                raise OperationError(f"no e-mail with {subject!r} in its subject arrived within {seconds:g} s")
            time.sleep(_POLL_SECONDS)
        return message


@dataclass
class Form:
    """The first form of a page.

    Attributes:
        action: the whole address it is sent to.
        fields: the values that are sent although nobody types them: of hidden fields, and of the boxes with a tick.
        names: the names of all its fields.
    """

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, page: httpx.Response) -> Form:
        """Read the first form of a page.

        Raises:
            ValueError: the page has none.
        """
        parser = _FormParser(str(page.url))
        parser.feed(page.text)
        parser.close()
        if parser.form is None:
            raise ValueError(f"{page.url} has no form")
        return parser.form

    def submit(self, typed: Mapping[str, str | list[str]]) -> httpx.Response:
        """Send the form as a browser does.

        Raises:
            ValueError: the form does not have one of the fields.
        """
        if unknown := set(typed) - self.names:
            raise ValueError(
                f"the form has no field {', '.join(sorted(unknown))}; it has {', '.join(sorted(self.names))}"
            )
        return httpx.post(self.action, data={**self.fields, **typed}, follow_redirects=True, timeout=_REQUEST_SECONDS)


class _FormParser(HTMLParser):
    """Finds the first form that is sent by POST. A field may stand outside of it and name it."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base
        self._id, self._is_inside = "", False
        self._elsewhere: list[tuple[str, dict[str, str]]] = []
        self.form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None and given.get("method", "").lower() == "post":
            self._id, self._is_inside = given.get("id", ""), True
            self.form = Form(action=urljoin(self._base, given.get("action", "")))
        elif tag in ("input", "textarea", "select") and "name" in given:
            if "form" in given:
                self._elsewhere.append((given["form"], given))
            elif self._is_inside:
                self._take(given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False

    def close(self) -> None:
        super().close()
        for owner, given in self._elsewhere:
            if owner == self._id:
                self._take(given)

    def _take(self, given: Mapping[str, str]) -> None:
        if self.form is None:
            return
        self.form.names.add(given["name"])
        if given.get("type") == "hidden" or (given.get("type") == "checkbox" and "checked" in given):
            self.form.fields.setdefault(given["name"], []).append(given.get("value", ""))
