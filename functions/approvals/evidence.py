"""What the pages of a decision show of its release: the brief, who changes group, and the stored reports."""

from __future__ import annotations

import re
from collections.abc import Callable

import page
from aws_lambda_powertools.event_handler import Response

from tenant_experience import data_layout
from tenant_experience.aws import briefs, link_signature, objects, release_table
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.release import links
from tenant_experience.release.approval import Approval
from tenant_experience.release.brief import Brief

_SHARD, _START = re.compile(r"[0-9]{1,6}"), re.compile(r"[0-9]{1,12}")
_REPORT_LINK_SECONDS = 300
# An answer of Lambda has 6 MB; as JSON, a page takes a little more than its bytes.
_LONGEST_PAGE = 5_000_000
_MOST_EXAMPLES, _MOST_DIRECTIONS, _MOST_ROWS = 10, 6, 100
# Gives a value of the query; empty if it has none.
Parameter = Callable[[str], str]


def content(request: Approval, parameter: Parameter) -> briefs.PageContent:
    """What the page shows of the release, or of one of its partitions (``?partition=``), as things stand now."""
    release, summary = request.approval_id, request.summary
    run_page = f"../runs/{release}?signature={link_signature.sign(links.run_text(release))}"
    if summary.take_back:
        return briefs.PageContent(Brief.of_results((), {}, (), summary.words), run_page=run_page)
    brief = briefs.read_brief(release, summary)
    chosen = brief.find(parameter("partition"))
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
        search=parameter("search")[:100],
        run_page=run_page,
    )


def changes(request: Approval, query: str, parameter: Parameter) -> Response[str]:
    """Every direction of every partition, or some rows of one (``?partition=&list=&start=``).

    Raises:
        UserError: ``unknown_list``.
    """
    release, partition, file = request.approval_id, parameter("partition"), parameter("list")
    start = parameter("start") or "0"
    brief = briefs.read_brief(release, request.summary)
    chosen = brief.find(partition)
    rows = None
    if partition or file:
        known = chosen.changes.directions if chosen and chosen.changes else ()
        direction = next((each for each in known if each.file.endswith(f"/{file}")), None)
        if chosen is None or (file and direction is None) or not _START.fullmatch(start):
            raise UserError("this list does not exist; open the page of the decision again", code="unknown_list")
        if direction is not None:
            rows = briefs.read_changes(release, chosen.shard, direction, start=int(start), most=_MOST_ROWS)
    return page.answer(200, page.changes(request, query, brief, chosen, rows))


def report(release: str, shard: str, query: str) -> Response[str]:
    """The full report of a shard.

    Raises:
        UserError: ``unknown_report``.
    """
    if not _SHARD.fullmatch(shard):
        raise UserError("this report does not exist", code="unknown_report")
    key = data_layout.reports(release, int(shard)) + data_layout.REPORT_FILE
    return _stored_page(key, f"../../{release}?{query}")


def data_quality(release: str, query: str) -> Response[str]:
    """The page about the release's data.

    Raises:
        UserError: ``unknown_report``.
    """
    return _stored_page(data_layout.reports(release) + data_layout.DATA_QUALITY_PAGE, f"../{release}?{query}")


def _stored_page(key: str, way_back: str) -> Response[str]:
    """A page of the bucket. One that is too long for an answer is opened there, by a link that expires."""
    html = objects.find_text(setting("DATA_BUCKET"), key, _LONGEST_PAGE)
    if html == "":
        raise UserError("this report does not exist", code="unknown_report")
    if html is None:
        return page.redirect(objects.page_link(setting("DATA_BUCKET"), key, seconds=_REPORT_LINK_SECONDS))
    return page.answer(200, page.with_way_back(html, way_back))
