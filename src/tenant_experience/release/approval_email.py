"""The e-mail that asks for a decision: plain text, short lines, one link."""

from __future__ import annotations

import time

from tenant_experience.release.approval import Approval, figures_told

_MAX_LINE = 200


def write(request: Approval, link: str) -> tuple[str, str]:
    """The subject and the text."""
    summary = request.summary
    lines = [
        f"Release {summary['release']} of {summary['use_case']} is ready for your decision.",
        "",
        f"  features as of    {summary['as_of']}",
        f"  live now          {summary['live_release'] or 'nothing yet'}",
        f"  models ready      {summary['ready_count']}",
        f"  models refused    {summary['refused_count']}",
        "",
    ]
    for row in summary["ready"][:10]:
        figures = "".join(f", {name} {row['metrics'][name]:.3f}" for name in figures_told([row]))
        lines.append(_line(f"{row['partition']}: {row.get('tenants', '?')} tenants{figures}"))
    lines += [
        _line(f"{row['partition']}: refused, {row.get('message', row.get('code', ''))}")
        for row in summary["refused"][:10]
    ]
    lines += [_line(f"Look at the data first: {warning}") for warning in summary.get("warnings", [])]
    lines += [
        "",
        "Look at it and decide here (opening the page decides nothing):",
        link,
        "",
        f"The link works until {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(request.expires_at))}. "
        "Without a decision by then nothing changes.",
    ]
    return f"Decision needed: release {summary['release']} of {summary['use_case']}", "\n".join(lines)


def _line(text: str) -> str:
    """One line, whatever the names in it: they come from the raw data, and must not write the e-mail."""
    line = " ".join(text.split())
    return "  " + (line if len(line) <= _MAX_LINE else line[: _MAX_LINE - 3] + "...")
