"""Posting to a webhook whose address is a secret: nothing here names it, in a log or in an error."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from tenant_experience.errors import PlatformError

_ATTEMPTS = 3
_TIMEOUT_SECONDS = 5
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 5.0
_MAY_PASS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


def post(address: str, content: bytes, *, pause: Callable[[float], None] = time.sleep) -> int:
    """Posts JSON, three times at most, and gives the status of the answer.

    No redirect is followed: what is posted is for this host only.

    Args:
        address: https only.
        content: the JSON.
        pause: waits between two attempts.

    Raises:
        PlatformError: ``bad_webhook`` for an address that is not https; ``webhook_failed`` when the host refuses it,
            redirects it, or does not answer. The message has a status or the kind of the error, and no address.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
        raise PlatformError("the webhook's address must begin with https:// and hold no password", code="bad_webhook")
    problem = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            pause(min(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS))
        try:
            status = _send(parts.hostname, parts.port, parts.path or "/", parts.query, content)
        except (OSError, http.client.HTTPException) as error:
            problem = f"it did not answer ({type(error).__name__})"
            continue
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return status
        problem = f"it answered {status}"
        if status < HTTPStatus.BAD_REQUEST:
            problem += ", a redirect, which is not followed: deploy with the address that it leads to"
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _MAY_PASS:
            break
    raise PlatformError(f"the webhook did not take the notice: {problem}", code="webhook_failed")


def _send(host: str, port: int | None, path: str, query: str, content: bytes) -> int:
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context())
    try:
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "tenant-experience"}
        connection.request("POST", f"{path}?{query}" if query else path, content, headers)
        return connection.getresponse().status
    finally:
        connection.close()
