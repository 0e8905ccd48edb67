"""Keeps web pages of other sites away from what needs no signature: mailbox, faults, and MiniStack's own pages.

A page of any site can make its own host name resolve to 127.0.0.1 (DNS rebinding) and then read what this server
answers. Its requests carry that name in ``Host``, so only this machine's names are answered. A page can also send a
form to 127.0.0.1. Its ``Origin`` is then another one, so it may change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMES = ("127.0.0.1", "localhost", "[::1]")
_READ_ONLY = ("GET", "HEAD", "OPTIONS")
# These take care of their callers themselves, as on AWS.
_PUBLIC = ("/_aws/execute-api/", "/_aws/lambda-url/")


def refusal(scope: Mapping[str, Any], port: int) -> tuple[int, str] | None:
    """The status and sentence that refuse a request; None when it may pass.

    Args:
        scope: ASGI's.
        port: the port on which this server listens.
    """
    path = str(scope.get("path", ""))
    if not path.startswith("/_") or path.startswith(_PUBLIC):
        return None
    own = {f"{name}:{port}" for name in _NAMES}
    hosts = _values(scope, b"host")
    if len(hosts) != 1 or hosts[0] not in own:
        return 421, f"This page answers only to http://127.0.0.1:{port} and http://localhost:{port}.\n"
    origins = _values(scope, b"origin")
    if scope.get("method") not in _READ_ONLY and any(origin != f"http://{hosts[0]}" for origin in origins):
        return 403, f"Pages of other sites may change nothing here. Open http://127.0.0.1:{port}/_local/mailbox.\n"
    return None


def _values(scope: Mapping[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1").strip().lower() for key, value in scope["headers"] if key.lower() == name]
