"""GET /runs/{release}: the page of a run, from its start to its outcome. It reads, and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience import data_layout
from tenant_experience.api import http
from tenant_experience.aws import decision_records, executions, link_signature, objects, run_history
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.log_redaction import redacted_json
from tenant_experience.pages import html_page
from tenant_experience.release import links, run_page
from tenant_experience.release.failure import EXCEEDED, sentence

logger = Logger(service="runs", json_serializer=redacted_json)
app = APIGatewayRestResolver()

METHODS = {"/runs/{release}": ("GET",), "/runs/{release}/data-quality": ("GET",)}
_STATUS = {"bad_link": 403, "unknown_run": 410, "unknown_report": 404}
_REFRESH_SECONDS = 30
_LONGEST_PAGE = 4_000_000  # characters; Lambda's answer ends at 6 MB


def _signed(release: str) -> str:
    """The link's signature, after it was checked.

    Raises:
        UserError: ``bad_link``.
    """
    signature = app.current_event.get_query_string_value("signature", "")
    if not data_layout.RELEASE_ID.fullmatch(release):
        raise link_signature.bad_link()
    link_signature.check(links.run_text(release), signature)
    return signature


def _arn(release: str) -> str:
    machine = "ROLL_BACK_EXECUTIONS" if release.startswith(run_page.ROLL_BACK) else "RELEASE_EXECUTIONS"
    return f"{setting(machine)}:{release}"


@app.get("/runs/<release>")
def show(release: str) -> Response[str]:
    """The page, which loads itself again while the run goes on, unless the reader has stopped that.

    A header says so and not the page: a reader of a ``<meta>`` could not stop it (WCAG 2.2.1).
    """
    signature = _signed(release)
    run = run_history.read(_arn(release))
    shards = executions.failed_shards(_arn(release)) if run.error == EXCEEDED else []
    described = run_page.describe(run, decision_records.find(release), shards, datetime.now(UTC))
    stopped = app.current_event.get_query_string_value("refresh", "") == "off"
    seconds = 0 if stopped or not described.refreshes else _REFRESH_SECONDS
    html = html_page.render("run.html.j2", run=described, release=release, signature=signature, refresh_seconds=seconds)
    return _page(200, html, {"Refresh": str(seconds)} if seconds else {})


@app.get("/runs/<release>/data-quality")
def data_quality(release: str) -> Response[str]:
    """The page about the release's data, as the job wrote it."""
    _signed(release)
    key = data_layout.reports(release) + data_layout.DATA_QUALITY_PAGE
    return _page(200, objects.read_page(setting("DATA_BUCKET"), key, _LONGEST_PAGE))


def refuse(refusal: UserError) -> Response[str]:
    """Answers a refusal as a page, because the reader is a person."""
    return _problem(_STATUS.get(refusal.code, 400), refusal.message)


def unavailable(error: PlatformError | ClientError | BotoCoreError) -> Response[str]:
    """Answers what is not the reader's fault, such as a history that Step Functions is asked for too often."""
    logger.error("unavailable", extra={"error": type(error).__name__})
    return _problem(503, "the page cannot be shown at the moment; try again in a minute")


def unknown(_error: NotFoundError) -> Response[str]:
    """Answers a wrong method, or an address that no page has."""
    wrong_method = http.is_wrong_method(app.current_event.raw_event, METHODS)
    return _problem(
        405 if wrong_method else 404,
        "this page cannot be used in this way: open the complete link from the e-mail",
    )


def _problem(status: int, message: str) -> Response[str]:
    return _page(status, html_page.render("run_problem.html.j2", sentence=sentence(message)))


def _page(status: int, html: str, more: Mapping[str, str] | None = None) -> Response[str]:
    headers: dict[str, str | list[str]] = {**http.READ_ONLY_PAGE, **(more or {})}
    return Response(status_code=status, content_type="text/html; charset=utf-8", body=html, headers=headers)


app.exception_handler(UserError)(refuse)
app.exception_handler([PlatformError, ClientError, BotoCoreError])(unavailable)
app.not_found(unknown)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answers an API Gateway proxy request with a page."""
    return http.resolve(app, event, context, METHODS)
