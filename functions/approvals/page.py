"""The approval page. It runs no script, loads and caches nothing, and sends no referrer that would carry the link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aws_lambda_powertools.event_handler import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from tenant_experience.api.http import READ_ONLY_PAGE
from tenant_experience.aws.briefs import ChangeRows, PageContent
from tenant_experience.errors import UserError
from tenant_experience.pages.html_page import capital, readable_value, share
from tenant_experience.release.approval import Approval
from tenant_experience.release.brief import Brief
from tenant_experience.release.confirmation import DIGITS, Draft
from tenant_experience.release.partition_brief import ABOUT, MINOR, SERIOUS, PartitionBrief
from tenant_experience.release.release import LiveRelease, readable_time
from tenant_experience.release.vote import MAX_NAME, MAX_REASON
from tenant_experience.use_case.words import Words

# Each as a whole on the page; more are named there, and shown with their own model.
MOST_WARNINGS = 40
# Of a release of many models, so many are shown with who changes and with pictures; each has a page of its own.
MOST_SHOWN = 3

_HEADERS: dict[str, str | list[str]] = {
    **READ_ONLY_PAGE,
    "Content-Security-Policy": READ_ONLY_PAGE["Content-Security-Policy"].replace(
        "form-action 'none'", "form-action 'self'"
    ),
    # To other sites nothing is told. To our own it is, because browsers then name the origin of a form.
    "Referrer-Policy": "same-origin",
}

# Code of a problem -> the field that it is about.
_FIELDS = {
    "no_partition": "partition",
    "unknown_partition": "partition",
    "missing_reason": "reason",
    "reason_too_long": "reason",
    "missing_reject_reason": "reject_reason",
    "reject_reason_too_long": "reject_reason",
    "name_too_long": "approver",
    **dict.fromkeys(
        ("no_draft", "another_draft", "code_expired", "no_attempts", "wrong_code", "too_many_codes"), "code"
    ),
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


def link_query(to: str, signature: str) -> str:
    """The query of a link, for the links and forms of its page."""
    return urlencode({"to": to, "signature": signature} if to else {"signature": signature})


def show(
    request: Approval,
    query: str,
    *,
    now: int,
    viewer: str = "",
    token: str = "",
    problem: UserError | None = None,
    refused: str = "",
    typed: Mapping[str, Sequence[str]] | None = None,
    draft: Draft | None = None,
    content: PageContent | None = None,
    starts: bool = False,
) -> str:
    """The page of one approval.

    Args:
        request: what is to be decided, or was decided.
        query: of the link, for the links on the page.
        now: Unix seconds.
        viewer: the address that the link was sent to; empty for a link of an earlier version.
        token: of the form.
        problem: what was wrong with the form that was just sent.
        refused: why an answer that was just sent was not recorded.
        typed: the fields of that form, so that nothing has to be typed twice.
        draft: the answer that is to be confirmed.
        content: what the page shows beside the request; without it, only what the request itself tells.
        starts: whether nobody was asked yet, and the form asks for a roll-back.
    """
    given = typed or {}
    texts = {name: (given.get(name) or ("",))[0] for name in ("decision", "approver", "reason", "reject_reason")}
    faulty = _FIELDS.get(problem.code, "decision") if problem else ""
    has_voted = bool(viewer) and request.vote_of(viewer) is not None
    names = request.partitions
    told = request.summary
    shown = content or PageContent(Brief.of_results(told.ready, told.figures, told.warnings, told.words))
    models = shown.brief.partitions
    return (
        _templates()
        .get_template("take_back.html.j2" if request.summary.take_back else "approval.html.j2")
        .render(
            request=request,
            summary=request.summary,
            content=shown,
            brief=shown.brief,
            chosen=shown.chosen,
            shown=[shown.chosen] if shown.chosen else shown.brief.first(MOST_SHOWN),
            several=len(models) > 1,
            listed=sorted(models, key=lambda each: (not shown.found(each), -each.weight)),
            changes=replace(shown.brief, partitions=(shown.chosen,)).three_changes
            if shown.chosen
            else shown.brief.three_changes,
            warned=sum(each.weight > MINOR for each in models),
            worse=sum(each.verdict == "worse" for each in models),
            here=f"{request.approval_id}?{query}",
            link_fields=parse_qsl(query),
            live_words=_live_words(shown.live, told.words),
            words=told.words,
            about=ABOUT,
            serious=SERIOUS,
            most_warnings=MOST_WARNINGS,
            query=query,
            viewer=viewer,
            token=token,
            is_open=request.is_open(now),
            may_vote=bool(viewer) and request.is_open(now) and not has_voted,
            has_voted=has_voted,
            partitions=names,
            ticked=set(given.get("partition", ())) if typed else set(names),
            rejected=_rejected(request),
            expires=readable_time(request.expires_at),
            problem=problem.message if problem else "",
            faulty=faulty,
            fault=partial(_fault, faulty, problem),
            marks=partial(_marks, faulty),
            draft=draft,
            answer=_answer(request, draft) if draft else None,
            refused=refused,
            typed=texts,
            max_name=MAX_NAME,
            max_reason=MAX_REASON,
            digits=DIGITS,
            asked=request.summary.take_back,
            starts=starts,
            with_features=bool(given.get("features")),
        )
    )


def begun(request: Approval, query: str, *, is_recorded: bool) -> str:
    """The page after a roll-back was asked for, until its request is there to be shown.

    Args:
        request: as it will be.
        query: of the link.
        is_recorded: whether it was this reader's answer that began it.
    """
    asked = request.summary.take_back
    shown = {"asked": asked, "query": query, "is_recorded": is_recorded}
    return _templates().get_template("take_back_begun.html.j2").render(shown)


def _fault(faulty: str, problem: UserError | None, field: str) -> Markup:
    """What is wrong with a field, to be shown above it."""
    if problem is None or field != faulty:
        return Markup("")
    said = _sentence(readable_value(problem.message))
    return Markup('<p class="fault" id="fault-{}">{}</p>').format(field, said)


def _marks(faulty: str, field: str) -> Markup:
    """Tells a screen reader that a field is wrong, and where it says why."""
    return Markup('aria-invalid="true" aria-describedby="fault-{}"').format(field) if field == faulty else Markup("")


def _answer(request: Approval, draft: Draft) -> dict[str, Any]:
    """What an answer would do: the names that would go live and that would not, and who else must answer."""
    vote, names = draft.vote, request.partitions or {"": "every model"}
    return {
        "approved": [name for slug, name in names.items() if vote.approves(slug)],
        "rejected": [(name, vote.reason_for(slug)) for slug, name in names.items() if vote.rejects(slug)],
        "more": max(0, request.rules.quorum - len(request.votes) - 1),
        "by_code": bool(draft.mac),
        "digest": draft.digest,
    }


def _rejected(request: Approval) -> list[tuple[str, str]]:
    """Name and reason of each rejected model of a release that was approved otherwise."""
    if request.outcome is None or not request.outcome.approves_any:
        return []
    return [(request.partitions.get(slug, slug), why) for slug, why in request.outcome.rejected.items()]


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


def see_other(address: str) -> Response[str]:
    """Leads from a form that was taken to a page that shows what came of it."""
    return Response(status_code=303, body="", headers={**_HEADERS, "Location": address})


def redirect(address: str) -> Response[str]:
    """A redirect that does not tell the other site where the reader came from."""
    return Response(status_code=302, body="", headers={**_HEADERS, "Location": address})
