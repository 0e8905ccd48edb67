"""A form that a browser sends from our own page, and not from somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tenant_experience.api.problem import request_text
from tenant_experience.errors import UserError

CONTENT_TYPE = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1_000
_OPEN_AGAIN = "open the link in the e-mail again, and use the form on its page"


def read(event: Mapping[str, Any], longest: int) -> dict[str, list[str]]:
    """The fields of a form: name -> values.

    Args:
        event: the proxy request.
        longest: in characters.

    Raises:
        UserError: ``foreign_form`` when another site sends it, ``not_a_form`` when it has another type of content, or
            ``bad_form`` when it is too long, not UTF-8, or has more fields than our forms.
    """
    _check_sender(event)
    if _header(event, "content-type").partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise UserError(f"this request is not a form: {_OPEN_AGAIN}", code="not_a_form")
    try:
        text = request_text(event, longest)
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except (ValueError, UserError) as error:
        raise UserError(f"this request does not come from our form: {_OPEN_AGAIN}", code="bad_form") from error


def _check_sender(event: Mapping[str, Any]) -> None:
    """Refuses what a browser says to come from another site. Programs say nothing about it."""
    site = _header(event, "sec-fetch-site")
    origin = _header(event, "origin")
    hosts = {_header(event, "host").lower(), str(event["requestContext"].get("domainName") or "").lower()} - {""}
    ours = not origin or _host(origin) in hosts
    if site not in ("", "same-origin", "none") or not ours:
        raise UserError(f"this form was sent from another site, so it is refused: {_OPEN_AGAIN}", code="foreign_form")


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _header(event: Mapping[str, Any], name: str) -> str:
    """A header, whatever the case of its name; the values of a repeated one together, so that it matches nothing."""
    many = event.get("multiValueHeaders") or {}
    found = [value for key, values in many.items() if key.lower() == name for value in values]
    if not found:
        found = [value for key, value in (event.get("headers") or {}).items() if key.lower() == name]
    return ", ".join(found)
