"""The notices to operators while a release goes on, for a stack whose parameter StageNotices asks for them."""

from __future__ import annotations

from tenant_experience.readable_text import readable_without_links
from tenant_experience.release.approval import Approval
from tenant_experience.release.outcome_email import with_run_page
from tenant_experience.release.release import readable_time


def started(release: str, batch: str, run_page: str) -> tuple[str, str]:
    """The subject and the text about a release that has begun.

    Args:
        release: the release's id.
        batch: the uploader's folder.
        run_page: the link to the page of the run.
    """
    folder = readable_without_links(batch)
    return f"Started: {release} (batch {_name(batch)})", _text([f"Release {release} began with {folder}."], run_page)


def waiting(request: Approval, run_page: str) -> tuple[str, str]:
    """The subject and the text about a release whose models are trained, and which waits for a decision.

    Args:
        request: the request that was sent.
        run_page: the link to the page of the run.
    """
    summary, asked = request.summary, len(request.asked)
    lines = [
        f"The models of release {summary.release} of {summary.use_case} are trained, and it waits for a decision.",
        "",
        f"  models ready    {summary.ready_count}",
        f"  models refused  {summary.refused_count}",
        f"  warnings        {len(summary.warnings)} about the data",
        f"  asked           {asked} approver{'' if asked == 1 else 's'}; {request.rules.quorum} must approve",
        f"  until           {readable_time(request.expires_at)}",
    ]
    named = f" (batch {_name(summary.batch)})" if summary.batch else ""
    return f"Trained, waits for a decision: {summary.release}{named}", _text(lines, run_page)


def _text(lines: list[str], run_page: str) -> str:
    return with_run_page("\n".join(lines), run_page)


def _name(batch: str) -> str:
    return readable_without_links(batch.rstrip("/").rpartition("/")[2])
