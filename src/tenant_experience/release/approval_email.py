"""The e-mail that asks for a decision: plain text, short lines, one link, and what is odd about the data first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tenant_experience.readable_text import readable_without_links
from tenant_experience.release.approval import FIGURES, Approval
from tenant_experience.release.partition_result import PartitionResult
from tenant_experience.release.release import readable_time
from tenant_experience.use_case.words import Words

_MAX_LINE = 200
_MAX_WARNING = 1000
_WARNING_WIDTH = 100
_MAX_PARTITIONS = 10


def write(request: Approval, link: str) -> tuple[str, str]:
    """The subject and the text."""
    summary = request.summary
    batch = readable_without_links(summary.batch)
    lines = [
        f"Release {summary.release} of {summary.use_case} is ready for your decision.",
        "",
        *[line for warning in summary.warnings for line in _warning(warning)],
        *([""] if summary.warnings else []),
        *([f"  batch             {batch}"] if batch else []),
        f"  features as of    {readable_time(summary.as_of)}",
        f"  live now          {summary.live_release or 'nothing yet'}",
        f"  models ready      {summary.ready_count}",
        f"  models refused    {summary.refused_count}",
        "",
        *[line for row in summary.ready[:_MAX_PARTITIONS] for line in (_ready_line(row, summary.words), *_notes(row))],
        *[line for row in summary.refused[:_MAX_PARTITIONS] for line in (_refused_line(row), *_notes(row))],
        "",
        "Look at it and decide here (opening the page decides nothing):",
        link,
        "",
        f"The link works until {readable_time(request.expires_at)}. If nobody decides by then, nothing changes.",
    ]
    named = f" (batch {batch})" if batch else ""
    return f"Decision needed: release {summary.release} of {summary.use_case}{named}", "\n".join(lines)


def _warning(text: str) -> list[str]:
    """A warning as a whole, on as many lines as it needs."""
    said = readable_without_links(f"Look at the data first: {text}")
    return textwrap.wrap(
        textwrap.shorten(said, _MAX_WARNING, placeholder=" ..."),
        _WARNING_WIDTH,
        initial_indent="! ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )


def _ready_line(row: PartitionResult, words: Words) -> str:
    tenants = "?" if row.tenants is None else row.tenants
    figures = "".join(f", {name} {row.figure(name)}" for name in FIGURES if name in row.metrics)
    # The figures are never cut, however long the name is.
    return _line(f"{row.partition}: {tenants} {words.records}", _MAX_LINE - len(figures)) + figures


def _notes(row: PartitionResult) -> Iterator[str]:
    """What to know about a model, each as a whole; first, whether anything but its own groups agrees with it."""
    for note in (*filter(None, [row.validation]), *row.notes):
        yield from textwrap.wrap(
            readable_without_links(note),
            _WARNING_WIDTH,
            initial_indent="    - ",
            subsequent_indent="      ",
            break_on_hyphens=False,
        )


def _refused_line(row: PartitionResult) -> str:
    return _line(f"{row.partition}: refused, {row.message or row.code.replace('_', ' ')}")


def _line(text: str, longest: int = _MAX_LINE) -> str:
    """One line, whatever the names in it: the raw data must not be able to add lines, links or hidden characters."""
    line = readable_without_links(text)
    return "  " + (line if len(line) <= longest else line[: longest - 3] + "...")
