"""GET /approvals: open and past decisions, for operators, whom IAM lets in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, get_args

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response

from tenant_experience.api import http
from tenant_experience.api import problem as api_problem
from tenant_experience.aws import request_pages
from tenant_experience.errors import UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release.approval import Approval, Status
from tenant_experience.release.release import iso_time
from tenant_experience.use_case import files as use_case_files

logger = Logger(service="list_approvals", json_serializer=redacted_json)
METHODS = {"/approvals": ("GET",)}
_KEYS = ("use_case", "status", "limit", "cursor")
_USUAL, _MOST = 20, 50
app = api_problem.api(logger, METHODS)


@app.get("/approvals")
def approvals() -> Response[str]:
    """One page of requests, the newest of each use case first."""
    given, now = app.current_event.query_string_parameters or {}, int(time.time())
    if unknown := sorted(given.keys() - set(_KEYS)):
        raise UserError(f"parameter {unknown[0]!r} is unknown; known are {', '.join(_KEYS)}", code="unknown_parameter")
    begin = request_pages.Place.read(given["cursor"]) if given.get("cursor") else None
    page = request_pages.read_page(_use_cases(given), _status(given), _size(given), begin, now)
    return api_problem.answer(
        {
            "approvals": [_described(each, now) for each in page.requests],
            "cursor": page.next.cursor if page.next else None,
        }
    )


def _use_cases(given: Mapping[str, str]) -> list[str]:
    known = use_case_files.names()
    if not given.get("use_case"):
        return known
    if given["use_case"] not in known:
        raise UserError(
            f"this stack has no use case of this name; it has {', '.join(known) or 'none'}", code="unknown_use_case"
        )
    return [given["use_case"]]


def _status(given: Mapping[str, str]) -> Status | None:
    asked = given.get("status") or None
    if asked is not None and asked not in get_args(Status):
        raise UserError(f"status must be one of {', '.join(get_args(Status))}", code="bad_status")
    return asked  # type: ignore[return-value]  # it is one of them


def _size(given: Mapping[str, str]) -> int:
    text = given.get("limit") or str(_USUAL)
    if not text.isascii() or not text.isdigit() or len(text) > 2 or not 1 <= int(text) <= _MOST:
        raise UserError(f"limit must be a whole number from 1 to {_MOST}", code="bad_limit")
    return int(text)


def _described(request: Approval, now: int) -> dict[str, Any]:
    """A request without what decides: no token, no link and no code."""
    is_late = request.status == "pending" and now >= request.expires_at
    return {
        "id": request.approval_id,
        "kind": request.kind,
        "use_case": request.use_case,
        "status": "expired" if is_late else request.status,
        "requested_at": request.requested_at,
        "requested_by": request.requested_by or None,
        "expires_at": iso_time(request.expires_at),
        "decided_at": request.decided_at or None,
        "reason": request.reason or None,
        "superseded_by": request.superseded_by or None,
        "delivered": request.delivered,
        "rules": request.rules.document(),
        "asked": [
            {"address": each.address, "mailed": each.mailed or None, "opened": each.opened or None}
            for each in request.asked
        ],
        "votes": [vote.document() for vote in request.votes],
        "outcome": request.outcome.document() if request.outcome else None,
    }


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answers an API Gateway proxy request."""
    return http.resolve(app, event, context, METHODS)
