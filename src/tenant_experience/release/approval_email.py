"""The e-mail that asks for a decision: plain text, short lines, one link that decides, and warnings first.

Names come from the data, so no line holds more than one of them, and none of them can look like a link.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from tenant_experience.readable_text import readable_without_links
from tenant_experience.release.approval import FIGURES, Approval, ApprovalSummary
from tenant_experience.release.partition_brief import ABOUT, BriefWarning
from tenant_experience.release.partition_result import PartitionResult
from tenant_experience.release.release import readable_time
from tenant_experience.use_case.words import Words

_MAX_LINE = 200
_MAX_WARNING = 1000
_WIDTH = 100
_MAX_PARTITIONS = 10


def write(request: Approval, link: str) -> tuple[str, str]:
    """The subject and the text."""
    summary, brief = request.summary, request.summary.brief
    until = readable_time(request.expires_at)
    sections = [
        [f"Release {summary.release} of {summary.use_case} is ready for your decision, until {until}."],
        [*_wrapped(f"{brief.verdict}.", "")] if brief.verdict else [],
        list(_warnings(summary)),
        [
            "The rules of the use case leave this release to you:",
            *(line for text in summary.not_automatic for line in _wrapped(text, "  - ")),
        ]
        if summary.not_automatic
        else [],
        list(_trained(summary)),
        ["What would change", *(line for text in brief.changes for line in _wrapped(text, "  - "))]
        if brief.changes
        else [],
        list(_models(summary)),
        ["What it costs", *(line for text in brief.cost for line in _lines(text, "  - "))] if brief.cost else [],
        ["Look at it and decide here (opening the page decides nothing):", link],
        [f"The link works until {until}. If nobody decides by then, nothing changes."],
    ]
    text = "\n\n".join("\n".join(section) for section in sections if section)
    batch = readable_without_links(summary.batch.rstrip("/").rpartition("/")[2])
    named = f" (batch {batch})" if batch else ""
    return f"Decision needed: release {summary.release} of {summary.use_case}{named}", text


def _warnings(summary: ApprovalSummary) -> Iterator[str]:
    """What speaks against the release, the heaviest first, each as a whole."""
    brief = summary.brief
    found: Iterable[BriefWarning] = (
        brief.warnings if brief.verdict else [BriefWarning("data", text) for text in summary.warnings]
    )
    for warning in found:
        of = f" ({warning.partition})" if warning.partition else ""
        yield from _wrapped(f"{ABOUT[warning.about]}{of}: {warning.text}", "! ")
    if more := brief.warned - len(brief.warnings):
        yield f"! {more} more {'is' if more == 1 else 'are'} on the page."


def _trained(summary: ApprovalSummary) -> Iterator[str]:
    """What was trained on what."""
    batch = readable_without_links(summary.batch)
    yield "What was trained on what"
    if batch:
        yield f"  batch             {batch}"
    yield f"  features as of    {readable_time(summary.as_of)}"
    yield f"  live now          {summary.live_release or 'nothing yet'}"
    yield f"  models ready      {summary.ready_count}"
    yield f"  models refused    {summary.refused_count}"


def _models(summary: ApprovalSummary) -> Iterator[str]:
    has_brief = bool(summary.brief.verdict)  # then it has told what is to be known of the models
    yield "The models"
    for row in summary.ready[:_MAX_PARTITIONS]:
        yield _ready_line(row, summary.words)
        yield from _wrapped(row.validation, "    - ") if has_brief else _notes(row)
    for row in summary.refused[:_MAX_PARTITIONS]:
        yield _refused_line(row)
        yield from _notes(row)
    for count, listed, what in (
        (summary.ready_count, summary.ready, "ready"),
        (summary.refused_count, summary.refused, "refused"),
    ):
        if more := count - len(listed[:_MAX_PARTITIONS]):
            yield f"  and {more} more {what}"


def _wrapped(text: str, bullet: str) -> list[str]:
    """A text with names from the data in it, on as many lines as it needs."""
    return _lines(textwrap.shorten(readable_without_links(text), _MAX_WARNING, placeholder=" ..."), bullet)


def _lines(text: str, bullet: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=bullet, subsequent_indent=" " * len(bullet), break_on_hyphens=False
    )


def _ready_line(row: PartitionResult, words: Words) -> str:
    tenants = "?" if row.tenants is None else row.tenants
    figures = "".join(f", {name} {row.figure(name)}" for name in FIGURES if name in row.metrics)
    # The figures are never cut, however long the name is.
    return _line(f"{row.partition}: {tenants} {words.records}", _MAX_LINE - len(figures)) + figures


def _notes(row: PartitionResult) -> Iterator[str]:
    """What to know about a model, each as a whole; first, whether anything but its own groups agrees with it."""
    for note in (*filter(None, [row.validation]), *row.notes):
        yield from _wrapped(note, "    - ")


def _refused_line(row: PartitionResult) -> str:
    return _line(f"{row.partition}: refused, {row.message or row.code.replace('_', ' ')}")


def _line(text: str, longest: int = _MAX_LINE) -> str:
    """One line, whatever the names in it: the raw data must not be able to add lines, links or hidden characters."""
    line = readable_without_links(text)
    return "  " + (line if len(line) <= longest else line[: longest - 3] + "...")
