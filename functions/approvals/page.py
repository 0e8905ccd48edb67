"""The approval page. It runs no script, loads and caches nothing, and sends no referrer that would carry the link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from aws_lambda_powertools.event_handler import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tenant_experience.api.http import PROTECTION
from tenant_experience.pages.html_page import capital, readable_value
from tenant_experience.release.approval import MAX_NAME, MAX_REASON, Approval
from tenant_experience.release.release import readable_time

# Slug of a partition -> title, picture (a data: address) and text of each of its pictures.
Pictures = Mapping[str, Sequence[Mapping[str, str]]]

_HEADERS: dict[str, str | list[str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    **PROTECTION,
    "X-Frame-Options": "DENY",
}


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        finalize=readable_value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["sentence"] = _sentence
    templates.filters["capital"] = capital
    templates.filters["readable_time"] = readable_time
    return templates


def _sentence(message: str) -> str:
    """A message as a sentence of the page. Names of files and columns stay as they are written."""
    begins = message.partition(" ")[0].strip(",;:")
    first = message[:1].upper() if begins.isalpha() else message[:1]
    return f"{first}{message[1:].rstrip('.')}."


def show(
    request: Approval,
    signature: str,
    *,
    now: int,
    problem: str | None = None,
    typed: Mapping[str, str] | None = None,
    pictures: Pictures | None = None,
) -> str:
    """The page of one approval.

    Args:
        request: what is to be decided, or was decided.
        signature: the signature of the link, for the links on the page.
        now: Unix seconds.
        problem: what was wrong with the form that was just sent.
        typed: the fields of that form, so that nothing has to be typed twice.
        pictures: of the share of bad over time.
    """
    return (
        _templates()
        .get_template("approval.html.j2")
        .render(
            request=request,
            summary=request.summary,
            figures=request.summary.figures,
            signature=signature,
            is_open=request.is_open(now),
            expires=readable_time(request.expires_at),
            problem=problem,
            typed={"decision": "", "approver": "", "reason": "", **(typed or {})},
            pictures=pictures or {},
            max_name=MAX_NAME,
            max_reason=MAX_REASON,
        )
    )


def problem(message: str) -> str:
    """The page of a refusal."""
    return _templates().get_template("problem.html.j2").render(message=message)


def answer(status: int, html: str) -> Response[str]:
    """An HTML answer with the headers of every page."""
    return Response(status_code=status, content_type="text/html; charset=utf-8", body=html, headers=dict(_HEADERS))


def redirect(address: str) -> Response[str]:
    """A redirect that does not tell the other site where the reader came from."""
    return Response(status_code=302, body="", headers={**_HEADERS, "Location": address})
