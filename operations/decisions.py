"""Open and past decisions of a stack, as GET /approvals tells them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations.errors import OperationError
from operations.stack import Stack

_SECONDS = 60
_PAGE = 50


def listed(stack: Stack, use_case: str | None, status: str | None, most: int) -> list[dict[str, Any]]:
    """The newest requests for a decision.

    Args:
        stack: whose.
        use_case: only of this one.
        status: only those, such as ``pending``.
        most: how many.

    Raises:
        OperationError: the API refuses.
    """
    found: list[dict[str, Any]] = []
    for each in _all(stack, use_case, status):
        if len(found) == most:
            break
        found.append(each)
    return found


def _all(stack: Stack, use_case: str | None, status: str | None) -> Iterator[dict[str, Any]]:
    asked = {"use_case": use_case, "status": status, "limit": str(_PAGE), "cursor": None}
    while True:
        body = _get(f"{stack.api_url}/approvals", {name: value for name, value in asked.items() if value})
        yield from body["approvals"]
        if not body["cursor"]:
            return
        asked["cursor"] = body["cursor"]


def _get(url: str, query: dict[str, str]) -> dict[str, Any]:
    """A request that is signed by the operator's own credentials, as IAM asks for."""
    session = boto3.session.Session()
    credentials = session.get_credentials()
    if credentials is None:
        raise OperationError("no AWS credentials are configured: name an account with AWS_PROFILE")
    request = AWSRequest("GET", url, params=query)
    SigV4Auth(credentials, "execute-api", session.region_name).add_auth(request)
    answer = httpx.get(url, params=query, headers=dict(request.headers.items()), timeout=_SECONDS)
    body: dict[str, Any] = answer.json()
    if answer.is_success:
        return body
    said = body.get("detail") or body.get("message") or body.get("Message") or answer.text
    if answer.status_code == httpx.codes.FORBIDDEN:
        raise OperationError(
            f"the API refuses GET /approvals: {said}. Your role needs execute-api:Invoke on the route GET/approvals"
        )
    raise OperationError(f"the API refuses GET /approvals: {said}")


def show(stack: Stack, found: Sequence[dict[str, Any]], console: Console) -> None:
    """Print one line for each request."""
    if not found:
        console.print(f"No such request for a decision in {stack.describe()}.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("release", "use case", "status", "asked at", "until, or decided at", "by"):
        table.add_column(heading, overflow="fold")
    for each in found:
        table.add_row(
            *(each["id"], each["use_case"], each["status"], each["requested_at"]),
            each["decided_at"] or each["expires_at"],
            escape(_by(each)),
        )
    console.print(table)


def _by(each: dict[str, Any]) -> str:
    """Who answered; for an open request how many have."""
    votes = [vote["address"] for vote in each["votes"]]
    if each["status"] == "pending":
        return f"{len(votes)} of {len(each['asked'])} answered"
    return ", ".join(votes) or each["reason"] or ""
