"""The approval page and its forms as they are deployed, on moto, and what a browser sends to them."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from tenant_experience.aws import approvals, link_signature
from tenant_experience.release.approval import Approval
from tests.support.decision_tables import Answers
from tests.support.function_module import function_module
from tests.support.places import ROOT
from tests.support.requests_for_decision import ADA, request

HOST = "api.example.com"
APPROVE = {"decision": "approve", "reason": "looks right", "partition": ["east", "north", "west"]}
REJECT = {"decision": "reject", "reason": "not now"}
CONTEXT = SimpleNamespace(function_name="f", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="r")
Call = Callable[..., dict[str, Any]]


@contextmanager
def approval_pages() -> Iterator[Any]:
    """The function's handler."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(ROOT / "functions" / "approvals"))
        yield function_module("approvals").handler
    sys.modules.pop("page", None)


def page_event(method: str, approval_id: str = "r1") -> dict[str, Any]:
    """A request for a page, as the gateway passes it on."""
    event: dict[str, Any] = json.loads((ROOT / "events" / "approvals.json").read_text())
    event |= {"httpMethod": method, "path": f"/approvals/{approval_id}", "multiValueQueryStringParameters": None}
    event["pathParameters"] = {"approval_id": approval_id}
    event["requestContext"] = {**event["requestContext"], "httpMethod": method}
    return event


def caller(handler: Any) -> Call:
    """Calls the page by the link of an address."""

    def send(method: str, asked: Approval, address: str = ADA, body: str | None = None, **more: Any) -> dict[str, Any]:
        signature = link_signature.sign(asked.signed_text(address))
        query = {"to": next(each.id for each in asked.asked if each.address == address), "signature": signature}
        headers = {"Host": [HOST], "content-type": ["application/x-www-form-urlencoded"], **more.pop("headers", {})}
        event = page_event(method, asked.approval_id) | {"body": body, "multiValueHeaders": headers, "headers": {}}
        event["queryStringParameters"] = query | more.pop("query", {})
        answer: dict[str, Any] = handler(event | more, CONTEXT)
        return answer

    return send


def opened(**changes: Any) -> Approval:
    """A request that waits for an hour."""
    return approvals.open_approval(request(expires_at=int(time.time()) + 3600, **changes), "token", now=10)


def token(call: Call, asked: Approval, address: str = ADA) -> str:
    """Of the form on the page."""
    html = call("GET", asked, address)["body"]
    return str(html.split('name="token" value="')[1].split('"')[0])


def preview(call: Call, asked: Approval, address: str = ADA, fields: Any = APPROVE, **more: Any) -> dict[str, Any]:
    """The first form."""
    given = {"token": token(call, asked, address), **fields}
    return call("POST", asked, address, urlencode(given, doseq=True), **more)


def confirmation(call: Call, asked: Approval, address: str = ADA) -> dict[str, str]:
    """The hidden fields of the second form."""
    html = call("GET", asked, address, query={"confirm": "1"})["body"]
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html.partition("</form>")[0]))
    assert found["step"] == "confirm"
    return found


def vote(
    call: Call, asked: Approval, answers: Answers, address: str = ADA, fields: Any = APPROVE, **more: Any
) -> dict[str, Any]:
    """Both forms."""
    assert preview(call, asked, address, fields)["statusCode"] == 303
    second = {**confirmation(call, asked, address), "code": answers.code}
    return call("POST", asked, address, urlencode(second), **more)


def token_of(asked: Approval, address: str = ADA) -> str:
    """As the page makes it."""
    return link_signature.sign(b"form\n" + asked.signed_text(address))


def status(approval_id: str = "r1") -> str:
    """What has become of a request."""
    return approvals.read_approval(approval_id)[0].status
