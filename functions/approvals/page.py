"""The approval page. It runs no script, loads and caches nothing, and sends no referrer that would carry the link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tenant_experience.api.http import PROTECTION
from tenant_experience.aws.briefs import ChangeRows, PageContent
from tenant_experience.pages.html_page import capital, readable_value, share
from tenant_experience.release.approval import MAX_NAME, MAX_REASON, Approval
from tenant_experience.release.brief import ABOUT, MINOR, SERIOUS, Brief, PartitionBrief
from tenant_experience.release.release import LiveRelease, readable_time
from tenant_experience.use_case.words import Words

# Each as a whole on the page; more are named there, and shown with their own model.
MOST_WARNINGS = 40
# Of a release of many models, so many are shown with who changes and with pictures; each has a page of its own.
MOST_SHOWN = 3

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
    templates.filters["share"] = share
    templates.filters["count"] = lambda number: f"{number:,}"
    return templates


def _sentence(message: str) -> str:
    """A message as a sentence of the page. Names of files and columns stay as they are written."""
    begins = message.partition(" ")[0].strip(",;:")
    first = message[:1].upper() if begins.isalpha() else message[:1]
    return f"{first}{message[1:].rstrip('.')}."


def link_query(signature: str) -> str:
    """The query of a link, for the links of its page."""
    return urlencode({"signature": signature})


def show(
    request: Approval,
    signature: str,
    *,
    now: int,
    problem: str | None = None,
    typed: Mapping[str, str] | None = None,
    content: PageContent | None = None,
) -> str:
    """The page of one approval.

    Args:
        request: what is to be decided, or was decided.
        signature: the signature of the link, for the links on the page.
        now: Unix seconds.
        problem: what was wrong with the form that was just sent.
        typed: the fields of that form, so that nothing has to be typed twice.
        content: what the page shows beside the request; without it, only what the request itself tells.
    """
    told = request.summary
    shown = content or PageContent(Brief.of_results(told.ready, told.figures, told.warnings, told.words))
    partitions = shown.brief.partitions
    return (
        _templates()
        .get_template("approval.html.j2")
        .render(
            request=request,
            summary=request.summary,
            signature=signature,
            query=link_query(signature),
            content=shown,
            brief=shown.brief,
            chosen=shown.chosen,
            shown=[shown.chosen] if shown.chosen else shown.brief.first(MOST_SHOWN),
            several=len(partitions) > 1,
            listed=sorted(partitions, key=lambda each: (not shown.found(each), -each.weight)),
            changes=replace(shown.brief, partitions=(shown.chosen,)).three_changes
            if shown.chosen
            else shown.brief.three_changes,
            warned=sum(each.weight > MINOR for each in partitions),
            worse=sum(each.verdict == "worse" for each in partitions),
            here=f"{request.approval_id}?{link_query(signature)}",
            link_fields=[("signature", signature)],
            live_words=_live_words(shown.live, told.words),
            words=request.summary.words,
            may_vote=request.is_open(now),
            ticked={each.slug for each in shown.brief.partitions},
            about=ABOUT,
            serious=SERIOUS,
            most_warnings=MOST_WARNINGS,
            is_open=request.is_open(now),
            expires=readable_time(request.expires_at),
            problem=problem,
            typed={"decision": "", "approver": "", "reason": "", **(typed or {})},
            max_name=MAX_NAME,
            max_reason=MAX_REASON,
        )
    )


def _live_words(live: LiveRelease | None, words: Words) -> str:
    """What answers now, within a sentence."""
    return f"release {live.release} goes on answering" if live else f"nothing answers for {words.records}, as now"


def changes(request: Approval, query: str, brief: Brief, chosen: PartitionBrief | None, rows: ChangeRows | None) -> str:
    """The page of who changes group: the directions of every partition, or a part of the list of one direction."""
    return (
        _templates()
        .get_template("changes.html.j2")
        .render(request=request, query=query, brief=brief, chosen=chosen, listed=rows, words=request.summary.words)
    )


def with_way_back(html: str, address: str) -> str:
    """A page of the release, with a link back to the decision at its top."""
    link = _templates().from_string('<p><a href="{{ address }}">Back to the decision</a></p>').render(address=address)
    return html.replace("<main>", f"<main>\n{link}", 1)


def problem(message: str) -> str:
    """The page of a refusal."""
    return _templates().get_template("problem.html.j2").render(message=message)


def answer(status: int, html: str) -> Response[str]:
    """An HTML answer with the headers of every page."""
    return Response(status_code=status, content_type="text/html; charset=utf-8", body=html, headers=dict(_HEADERS))


def redirect(address: str) -> Response[str]:
    """A redirect that does not tell the other site where the reader came from."""
    return Response(status_code=302, body="", headers={**_HEADERS, "Location": address})
