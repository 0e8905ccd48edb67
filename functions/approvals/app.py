"""GET and POST /approvals/{approval_id}: the page that shows a release, and the form that decides about it.

GET changes nothing, so that a mail scanner that follows the link cannot decide. POST decides, once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import page
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from tenant_experience import data_layout
from tenant_experience.api import http
from tenant_experience.api import problem as api_problem
from tenant_experience.aws import approvals, executions, link_signature, objects
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import approval, release
from tenant_experience.release.approval import Approval

logger = Logger(service="approvals", json_serializer=redacted_json)
app = APIGatewayRestResolver()

METHODS = {
    "/approvals/{approval_id}": ("GET", "POST"),
    "/approvals/{approval_id}/report/{shard}": ("GET",),
    "/approvals/{approval_id}/data-quality": ("GET",),
}
_SHARD = re.compile(r"[0-9]{1,6}")
_STATUS = {"bad_link": 403, "unknown_report": 404, "already_decided": 409, "nobody_waits": 410}
_REPORT_LINK_SECONDS = 300
_MOST_PICTURED = 10
_LONGEST_FORM = 20_000  # characters: a reason of 800, every one of them as %F0%9F%8F%A0


def _signed(approval_id: str) -> tuple[Approval, str, str]:
    """The approval, its task token and the link's signature, after the signature was checked.

    An unknown id gets the same answer as a bad signature, so that nobody can find out which releases exist.

    Raises:
        UserError: ``bad_link``.
    """
    signature = app.current_event.get_query_string_value("signature", "")
    if not data_layout.RELEASE_ID.fullmatch(approval_id):
        raise link_signature.bad_link()
    try:
        request, token = approvals.read_approval(approval_id)
    except UserError as unknown:
        raise link_signature.bad_link() from unknown
    link_signature.check(request.signed_text, signature)
    return request, token, signature


@app.get("/approvals/<approval_id>")
def show(approval_id: str) -> Response[str]:
    """The page, with the form while a decision can be made."""
    request, _, signature = _signed(approval_id)
    return page.answer(200, page.show(request, signature, now=int(time.time()), pictures=_pictures(request)))


def _pictures(request: Approval) -> dict[str, Any]:
    """Of the first models of the release; releases of earlier versions have none."""
    rows = request.summary.ready[:_MOST_PICTURED]
    found: dict[str, Any] = {}
    for shard in sorted({row.shard for row in rows}):
        key = data_layout.reports(request.approval_id, shard) + data_layout.SHARE_PICTURES_FILE
        found |= objects.find_json(setting("DATA_BUCKET"), key) or {}
    return {row.slug: found[row.slug] for row in rows if row.slug in found}


@app.get("/approvals/<approval_id>/report/<shard>")
def report(approval_id: str, shard: str) -> Response[str]:
    """Redirects to the full report, by a link that expires after five minutes."""
    request, _, _ = _signed(approval_id)
    if not _SHARD.fullmatch(shard):
        raise UserError("this report does not exist", code="unknown_report")
    key = data_layout.reports(request.approval_id, int(shard)) + data_layout.REPORT_FILE
    return page.redirect(objects.page_link(setting("DATA_BUCKET"), key, seconds=_REPORT_LINK_SECONDS))


@app.get("/approvals/<approval_id>/data-quality")
def data_quality(approval_id: str) -> Response[str]:
    """Redirects to the page about the release's data, by such a link too."""
    request, _, _ = _signed(approval_id)
    key = data_layout.reports(request.approval_id) + data_layout.DATA_QUALITY_PAGE
    return page.redirect(objects.page_link(setting("DATA_BUCKET"), key, seconds=_REPORT_LINK_SECONDS))


@app.post("/approvals/<approval_id>")
def decide(approval_id: str) -> Response[str]:
    """Records the decision of the form, and passes it to the execution that waits for it."""
    request, token, signature = _signed(approval_id)
    form = _form(app.current_event.raw_event)
    now = int(time.time())
    if request.status == "pending":
        try:
            decision, approver, reason = approval.read_decision(form)
        except UserError as refusal:
            return page.answer(400, page.show(request, signature, now=now, problem=refusal.message, typed=form))
        request = approvals.decide(
            request, decision, approver=approver, reason=reason, decided_at=release.iso_time(now), now=now
        )
        logger.info("decision recorded", extra={"release": approval_id, "decision": decision})
    elif request.delivered:
        raise UserError(f"this release was already {request.status}", code="already_decided")
    # A decision that was recorded but did not reach the execution is delivered now, as recorded.
    try:
        executions.answer(token, request.decision)
    except PlatformError:
        logger.exception("decision not delivered", extra={"release": approval_id})
        return page.answer(503, page.show(request, signature, now=now))
    approvals.mark_delivered(approval_id)
    return page.answer(200, page.show(replace(request, delivered=True), signature, now=now))


def _form(event: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the form.

    Raises:
        UserError: ``bad_form`` when it is too long, not UTF-8, or has more fields than our form.
    """
    try:
        return dict(parse_qsl(api_problem.request_text(event, _LONGEST_FORM), max_num_fields=20, errors="strict"))
    except (ValueError, UserError) as error:
        raise UserError(
            "this request does not come from the form on the approval page; open the link in the e-mail again",
            code="bad_form",
        ) from error


def refuse(refusal: UserError) -> Response[str]:
    """Answers a refusal as a page, because the reader is a person."""
    return page.answer(_STATUS.get(refusal.code, 400), page.problem(refusal.message))


def unknown(_error: NotFoundError) -> Response[str]:
    """Answers a wrong method, or an address that no page has."""
    wrong_method = http.is_wrong_method(app.current_event.raw_event, METHODS)
    words = "this page cannot be used in this way: open the complete link from the e-mail"
    return page.answer(405 if wrong_method else 404, page.problem(words))


app.exception_handler(UserError)(refuse)
app.not_found(unknown)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answers an API Gateway proxy request with a page."""
    return http.resolve(app, event, context, METHODS)
