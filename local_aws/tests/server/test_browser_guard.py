"""Pages of other sites cannot read the mailbox, or change anything, through a browser on this machine."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest

PATHS = ["/_local/mailbox", "/_local/mailbox.json", "/_local/faults", "/_local/status", "/_ministack/health"]


def ask(server: dict[str, Any], method: str, path: str, **headers: str) -> int:
    address = urlsplit(server["url"])
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value.replace("PORT", str(address.port)))
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["evil.example:PORT", "evil.example", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:PORT"]
)
def test_another_host_is_refused(server: dict[str, Any], path: str, host: str) -> None:
    assert ask(server, "GET", path, Host=host) == 421


@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT", "LOCALHOST:PORT"])
def test_this_machines_names_are_answered(server: dict[str, Any], host: str) -> None:
    for path in PATHS:
        assert ask(server, "GET", path, Host=host) == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1:PORT"])
def test_another_sites_form_changes_nothing(server: dict[str, Any], origin: str) -> None:
    for method, path in (
        ("DELETE", "/_local/faults"),
        ("POST", "/_local/subscriptions/confirm"),
        ("POST", "/_ministack/reset"),
    ):
        assert ask(server, method, path, Host="127.0.0.1:PORT", Origin=origin) == 403


def test_the_pages_own_form_may_change_something(server: dict[str, Any]) -> None:
    assert ask(server, "DELETE", "/_local/faults", Host="127.0.0.1:PORT", Origin="http://127.0.0.1:PORT") == 200
