"""GET and POST /approvals/{approval_id}: the page that shows a release, and the form that decides about it.

Each approver has a link of their own. GET decides nothing, so that a mail scanner that follows the link cannot. A first
POST shows what the answer would do, and mails a code; a second one brings the code, and records one vote under the
address that the link was sent to.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import page
import take_back
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience import data_layout
from tenant_experience.api import browser_form, http
from tenant_experience.aws import (
    approvals,
    audit,
    briefs,
    confirmations,
    decisions,
    link_signature,
    notifications,
    objects,
    release_table,
)
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.release import confirmation, decision, links, vote
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.brief import Brief
from tenant_experience.release.confirmation import Draft
from tenant_experience.release.release import iso_time

logger = Logger(service="approvals", json_serializer=redacted_json)
app = APIGatewayRestResolver()

METHODS = {
    "/approvals/{approval_id}": ("GET", "POST"),
    "/approvals/{approval_id}/report/{shard}": ("GET",),
    "/approvals/{approval_id}/data-quality": ("GET",),
    "/approvals/{approval_id}/take-back": ("GET", "POST"),
    "/approvals/{approval_id}/changes": ("GET",),
}
_SHARD, _START = re.compile(r"[0-9]{1,6}"), re.compile(r"[0-9]{1,12}")
_STATUS = {
    **dict.fromkeys(("bad_link", "foreign_form", "maker_may_not_decide"), 403),
    **dict.fromkeys(("unknown_report", "unknown_list"), 404),
    **dict.fromkeys(("already_decided", "already_voted", "superseded", "earlier_link"), 409),
    **dict.fromkeys(("not_live", "no_earlier_release", "nothing_to_take_back"), 409),
    **dict.fromkeys(("expired", "withdrawn"), 410),
    "not_a_form": 415,
    "too_many_codes": 429,
}
# What no other answer of the same approver can put right.
_FINAL = {"already_decided", "already_voted", "superseded", "expired", "withdrawn", "maker_may_not_decide"}
_REPORT_LINK_SECONDS = 300
# An answer of Lambda has 6 MB; as JSON, a page takes a little more than its bytes.
_LONGEST_PAGE = 5_000_000
_MOST_EXAMPLES, _MOST_DIRECTIONS, _MOST_ROWS = 10, 6, 100
# Characters: two reasons of 800, every one of them as %F0%9F%8F%A0, and a tick for each of many models.
_LONGEST_FORM = 100_000


def _signed(approval_id: str) -> tuple[Approval, Asked | None, str]:
    """The approval, who the link was sent to, and the link's query, after its signature was checked.

    An unknown id gets the same answer as a bad signature, so that nobody can find out which releases exist. A link of
    an earlier version names nobody; it shows the page, and cannot decide.

    Raises:
        UserError: ``bad_link``.
    """
    signature = app.current_event.get_query_string_value("signature", "")
    to = app.current_event.get_query_string_value("to", "")
    if not data_layout.RELEASE_ID.fullmatch(approval_id):
        raise link_signature.bad_link()
    try:
        request, _ = approvals.read_approval(approval_id)
    except UserError as unknown:
        raise link_signature.bad_link() from unknown
    asked = request.asked_as(to)
    is_named = asked is not None or not (to or request.asked)
    try:
        link_signature.check(request.signed_text(asked.address if asked else ""), signature if is_named else "")
    except UserError as refusal:
        if app.current_event.http_method != "GET":  # a link that is only read decides nothing
            _audit(request, "refused", None, code=refusal.code)
        raise
    return request, asked, page.link_query(to, signature)


@app.get("/approvals/<approval_id>")
def show(approval_id: str) -> Response[str]:
    """The page, with the form while this approver can decide; after the first form, with the second."""
    request, asked, query = _signed(approval_id)
    _note_opening(request, asked)
    draft = (
        confirmations.find(request, asked) if asked and app.current_event.get_query_string_value("confirm") else None
    )
    return _page(200, request, asked, query, draft=draft)


def _page(
    status: int,
    request: Approval,
    asked: Asked | None,
    query: str,
    *,
    problem: UserError | None = None,
    refused: str = "",
    typed: Mapping[str, Sequence[str]] | None = None,
    draft: Draft | None = None,
) -> Response[str]:
    now = int(time.time())
    may_vote = asked is not None and request.is_open(now) and request.vote_of(asked.address) is None
    html = page.show(
        request,
        query,
        now=now,
        viewer=asked.address if asked else "",
        token=_token(request, asked) if asked and (may_vote or not request.delivered) else "",
        problem=problem,
        refused=refused,
        typed=typed,
        draft=draft,
        content=_content(request),
    )
    return page.answer(status, html)


def _token(request: Approval, asked: Asked) -> str:
    return link_signature.sign(_form_text(request, asked))


def _form_text(request: Approval, asked: Asked) -> bytes:
    """What the token of a form covers: this link of this approver."""
    return b"form\n" + request.signed_text(asked.address)


def _note_opening(request: Approval, asked: Asked | None) -> None:
    """Keeps who opened the page first, and when. This decides nothing."""
    context = app.current_event.raw_event["requestContext"]
    if asked is None or asked.opened or context.get("httpMethod") == "HEAD":
        return
    if approvals.mark_opened(request, asked, iso_time(time.time())):
        _audit(request, "opened", asked)


def _audit(request: Approval, event: audit.Event, asked: Asked | None, **details: object) -> None:
    audit.append(**_audited(request, event, asked, **details))


def _audited(request: Approval, event: audit.Event, asked: Asked | None, **details: object) -> dict[str, Any]:
    identity = app.current_event.raw_event["requestContext"].get("identity") or {}
    return {
        "release": request.approval_id,
        "event": event,
        "use_case": request.use_case,
        "address": asked.address if asked else None,
        "network": identity.get("sourceIp"),
        "agent": str(identity.get("userAgent") or "")[:300],
        **details,
    }


def _content(request: Approval) -> briefs.PageContent:
    """What the page shows of the release, or of one of its partitions (``?partition=``), as things stand now."""
    release, summary = request.approval_id, request.summary
    run_page = f"../runs/{release}?signature={link_signature.sign(links.run_text(release))}"
    if summary.take_back:
        return briefs.PageContent(Brief.of_results((), {}, (), summary.words), run_page=run_page)
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
        run_page=run_page,
    )


@app.get("/approvals/<approval_id>/changes")
def changes(approval_id: str) -> Response[str]:
    """Who changes group: every direction of every partition, or some rows of one (``?partition=&list=&start=``)."""
    request, _, query = _signed(approval_id)
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
    return page.answer(200, page.changes(request, query, brief, chosen, rows))


@app.get("/approvals/<approval_id>/report/<shard>")
def report(approval_id: str, shard: str) -> Response[str]:
    """The full report."""
    request, _, query = _signed(approval_id)
    if not _SHARD.fullmatch(shard):
        raise UserError("this report does not exist", code="unknown_report")
    key = data_layout.reports(request.approval_id, int(shard)) + data_layout.REPORT_FILE
    return _stored_page(key, f"../../{approval_id}?{query}")


@app.get("/approvals/<approval_id>/data-quality")
def data_quality(approval_id: str) -> Response[str]:
    """The page about the release's data."""
    request, _, query = _signed(approval_id)
    key = data_layout.reports(request.approval_id) + data_layout.DATA_QUALITY_PAGE
    return _stored_page(key, f"../{approval_id}?{query}")


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
    """Records the vote of the form, and passes a decision to the execution that waits for it."""
    request, asked, query = _signed(approval_id)
    if asked is None:
        _audit(request, "refused", None, code="earlier_link")
        raise UserError(
            "this link is of an earlier version and cannot decide; ask the operator to stop the release and to redrive "
            "it, so that everybody gets a link of their own",
            code="earlier_link",
        )
    try:
        form = browser_form.read(app.current_event.raw_event, _LONGEST_FORM)
        link_signature.check(_form_text(request, asked), (form.get("token") or [""])[0])
    except UserError as refusal:
        _audit(request, "refused", asked, code=refusal.code)
        raise
    step = (form.get("step") or [""])[0]
    if request.status in ("approved", "rejected"):
        if not step and "decision" not in form:  # the button that sends the decision again
            return _deliver(request, asked, query)
        request = decisions.deliver_now_or_later(request.approval_id)
    now = int(time.time())
    if request.status == "pending" and (later := decisions.later_release(request)):
        decisions.supersede(request.approval_id, later, iso_time(now))
        request, _ = approvals.read_approval(request.approval_id)
    draft = confirmations.find(request, asked)
    try:
        if step == "confirm" and draft is not None and _is_recorded(request, draft.vote):
            return _deliver(request, asked, query)
        decision.check_open(request, now)
        if step == "confirm":
            return _record(request, asked, query, _confirmed(request, asked, form, now), now)
        if step != "again" or draft is None:
            given = vote.read_vote(
                form, address=asked.address, partitions=list(request.partitions), decided_at=iso_time(now)
            )
            if decision.cast(request, given, now) is request:
                return _deliver(request, asked, query)
            draft = Draft(given, now)
        return _ask_to_confirm(request, asked, query, draft.vote, now)
    except UserError as refusal:
        _audit(request, "refused", asked, code=refusal.code)
        return _refused(refusal, request, asked, query, form, draft if step else None)


def _take_back_link(approval_id: str) -> take_back.Link:
    return take_back.read_link(approval_id, _parameter("to"), _parameter("signature"))


def _parameter(name: str) -> str:
    return app.current_event.get_query_string_value(name, "")


@app.get("/approvals/<approval_id>/take-back")
def show_take_back(approval_id: str) -> Response[str]:
    """What would come back if this release were taken back, and the form that asks for it."""
    return take_back.show(_take_back_link(approval_id), _parameter)


@app.post("/approvals/<approval_id>/take-back")
def ask_to_take_back(approval_id: str) -> Response[str]:
    """Starts to take a release back, with the vote of the approver who asks."""
    return take_back.decide(_take_back_link(approval_id), app.current_event.raw_event, _parameter, _audit)


def _is_recorded(request: Approval, given: vote.Vote) -> bool:
    """Whether the same form was taken before."""
    recorded = request.vote_of(given.address)
    return recorded is not None and recorded.said == given.said


def _ask_to_confirm(request: Approval, asked: Asked, query: str, given: vote.Vote, now: int) -> Response[str]:
    """Keeps the vote as a draft, mails the code for it, and leads to the page that shows what the vote would do."""
    draft, code = confirmations.keep(request, given, now)
    if code:
        notifications.send_to(asked.address, *confirmation.email(request, draft.vote, code))
        _audit(request, "code_sent", asked)
    return page.see_other(f"{request.approval_id}?{query}&confirm=1")


def _confirmed(request: Approval, asked: Asked, form: vote.Form, now: int) -> vote.Vote:
    """The vote of the draft that the form confirms."""
    digest, typed = ((form.get(name) or [""])[0] for name in ("draft", "code"))
    return replace(confirmations.check(request, asked, digest, typed, now), decided_at=iso_time(now))


def _record(request: Approval, asked: Asked, query: str, given: vote.Vote, now: int) -> Response[str]:
    request = approvals.change(
        request.approval_id,
        lambda stored: decision.cast(stored, given, now),
        lambda changed: _rows(changed, asked, given),
    )
    logger.info("vote recorded", extra={"release": request.approval_id, "status": request.status})
    return _deliver(request, asked, query)


def _refused(
    refusal: UserError, request: Approval, asked: Asked, query: str, form: vote.Form, draft: Draft | None
) -> Response[str]:
    """The page again: with what is to be corrected while that is possible, and otherwise with why it is not."""
    request, _ = approvals.read_approval(request.approval_id)
    status = _STATUS.get(refusal.code, 400)
    if refusal.code in _FINAL or not request.is_open(int(time.time())):
        return _page(status, request, asked, query, refused=refusal.message)
    return _page(status, request, asked, query, problem=refusal, typed=form, draft=draft)


def _rows(changed: Approval, asked: Asked, given: vote.Vote) -> list[audit.Row]:
    """The vote, and the decision if it was the last vote that was needed."""
    rows = [audit.row(**_audited(changed, "voted", asked, vote=given.document()))]
    if changed.outcome is not None:
        outcome, models = changed.outcome.document(), changed.models
        rows.append(audit.row(**_audited(changed, "decided", asked, outcome=outcome, models=models)))
    return rows


def _deliver(request: Approval, asked: Asked, query: str) -> Response[str]:
    """Passes a decision on, and leads to the page by GET, so that reloading it and going back send nothing again."""
    try:
        request = decisions.deliver(request.approval_id)
    except PlatformError:
        logger.exception("decision not delivered", extra={"release": request.approval_id})
        return _page(503, request, asked, query)
    if request.status == "withdrawn":
        return _page(410, request, asked, query, refused=decision.ENDED["withdrawn"])
    return page.see_other(f"{request.approval_id}?{query}")


def refuse(refusal: UserError) -> Response[str]:
    """Answers a refusal as a page, because the reader is a person."""
    return page.answer(_STATUS.get(refusal.code, 400), page.problem(refusal.message))


def unavailable(error: PlatformError | ClientError | BotoCoreError) -> Response[str]:
    """Answers what is not the reader's fault. An answer of AWS that got lost leaves open whether a write was made."""
    logger.error("unavailable", extra={"error": type(error).__name__})
    words = "the page cannot be shown at the moment; open the link again in a minute to see whether your answer counts"
    return page.answer(503, page.problem(words))


def unknown(_error: NotFoundError) -> Response[str]:
    """Answers a wrong method, or an address that no page has."""
    wrong_method = http.is_wrong_method(app.current_event.raw_event, METHODS)
    if wrong_method:
        _audit_wrong_method((app.current_event.path_parameters or {}).get("approval_id", ""))
    words = "this page cannot be used in this way: open the complete link from the e-mail"
    return page.answer(405 if wrong_method else 404, page.problem(words))


def _audit_wrong_method(approval_id: str) -> None:
    try:
        request, asked, _ = _signed(approval_id)
    except UserError:  # the row is written, if there is such a request
        return
    _audit(request, "refused", asked, code="wrong_method")


app.exception_handler(UserError)(refuse)
app.exception_handler([PlatformError, ClientError, BotoCoreError])(unavailable)
app.not_found(unknown)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answers an API Gateway proxy request with a page."""
    return http.resolve(app, event, context, METHODS)
