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
from tenant_experience.aws import approvals, briefs, executions, link_signature, objects, release_table
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
    "/approvals/{approval_id}/changes": ("GET",),
}
_SHARD, _START = re.compile(r"[0-9]{1,6}"), re.compile(r"[0-9]{1,12}")
_STATUS = {"bad_link": 403, "unknown_report": 404, "unknown_list": 404, "already_decided": 409, "nobody_waits": 410}
_REPORT_LINK_SECONDS = 300
# An answer of Lambda has 6 MB; as JSON, a page takes a little more than its bytes.
_LONGEST_PAGE = 5_000_000
_MOST_EXAMPLES, _MOST_DIRECTIONS, _MOST_ROWS = 10, 6, 100
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
    return page.answer(200, page.show(request, signature, now=int(time.time()), content=_content(request)))


def _content(request: Approval) -> briefs.PageContent:
    """What the page shows of the release, or of one of its partitions (``?partition=``), as things stand now."""
    release, summary = request.approval_id, request.summary
    brief = briefs.read_brief(release, summary)
    chosen = brief.find(app.current_event.get_query_string_value("partition", ""))
    shown = [chosen] if chosen else brief.first(page.MOST_SHOWN)
    return briefs.PageContent(
        brief=brief,
        live=release_table.read_live(summary.use_case),
        chosen=chosen,
        pictures=briefs.read_pictures(release, shown),
        examples={
            each.slug: [
                briefs.read_changes(release, each.shard, direction, most=_MOST_EXAMPLES)
                for direction in each.changes.directions[:_MOST_DIRECTIONS]
            ]
            for each in shown
            if each.changes
        },
        search=app.current_event.get_query_string_value("search", "")[:100],
    )


@app.get("/approvals/<approval_id>/changes")
def changes(approval_id: str) -> Response[str]:
    """Who changes group: every direction of every partition, or some rows of one (``?partition=&list=&start=``)."""
    request, _, signature = _signed(approval_id)
    asked = app.current_event.get_query_string_value
    brief = briefs.read_brief(approval_id, request.summary)
    chosen, file, start = brief.find(asked("partition", "")), asked("list", ""), asked("start", "0")
    rows = None
    if asked("partition", "") or file:
        known = chosen.changes.directions if chosen and chosen.changes else ()
        direction = next((each for each in known if each.file.endswith(f"/{file}")), None)
        if chosen is None or (file and direction is None) or not _START.fullmatch(start):
            raise UserError("this list does not exist; open the page of the decision again", code="unknown_list")
        if direction is not None:
            rows = briefs.read_changes(approval_id, chosen.shard, direction, start=int(start), most=_MOST_ROWS)
    return page.answer(200, page.changes(request, page.link_query(signature), brief, chosen, rows))


@app.get("/approvals/<approval_id>/report/<shard>")
def report(approval_id: str, shard: str) -> Response[str]:
    """The full report."""
    request, _, signature = _signed(approval_id)
    if not _SHARD.fullmatch(shard):
        raise UserError("this report does not exist", code="unknown_report")
    key = data_layout.reports(request.approval_id, int(shard)) + data_layout.REPORT_FILE
    return _stored_page(key, f"../../{approval_id}?{page.link_query(signature)}")


@app.get("/approvals/<approval_id>/data-quality")
def data_quality(approval_id: str) -> Response[str]:
    """The page about the release's data."""
    request, _, signature = _signed(approval_id)
    key = data_layout.reports(request.approval_id) + data_layout.DATA_QUALITY_PAGE
    return _stored_page(key, f"../{approval_id}?{page.link_query(signature)}")


def _stored_page(key: str, way_back: str) -> Response[str]:
    """A page of the bucket. One that is too long for an answer is opened there, by a link that expires."""
    html = objects.find_text(setting("DATA_BUCKET"), key, _LONGEST_PAGE)
    if html == "":
        raise UserError("this report does not exist", code="unknown_report")
    if html is None:
        return page.redirect(objects.page_link(setting("DATA_BUCKET"), key, seconds=_REPORT_LINK_SECONDS))
    return page.answer(200, page.with_way_back(html, way_back))


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
