"""The page of a run in words: its stages with their times, what is waited for, how it ended, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tenant_experience import data_layout
from tenant_experience.release.decision_record import DecisionRecord
from tenant_experience.release.failure import DECIDED, Failure, of_end
from tenant_experience.release.release import readable_time
from tenant_experience.release.run_history import Run, Stage
from tenant_experience.release.take_back import PREFIX

# State -> what it does. A state without words is shown by its name; those that only choose are not shown.
STAGES = {
    "ReadLiveRelease": "Look up the release that is live",
    "FindApprovers": "Check that somebody can decide",
    "BuildFeatures": "Compute the features",
    "ReadDataQuality": "Read the checks of the data",
    "IngestFeatures": "Store the features",
    "RecordFeatures": "Record which features are served",
    "NotifyServed": "Send the e-mail about the answers",
    "TrainModels": "Find groups, and train and evaluate the models",
    "RequestApproval": "Wait for a decision",
    "RegisterModels": "Register the models with the decision",
    "DeployEndpoint": "Deploy the endpoint",
    "SmokeTest": "Test the endpoint's answers",
    "ServeFeatures": "Put the features online",
    "PublishRelease": "Make the release live",
    "PrepareTakeBack": "Check the earlier models",
    "TakeBack": "Let the earlier models answer",
    "NotifyTakenBack": "Tell everyone who was asked",
    "NotifyReleased": "Tell everyone who was asked",
    "NotifyOutcome": "Tell everyone who was asked",
}
# The last state of a run that ended well -> its heading, and what that means.
_ENDS = {
    "Released": ("went live", "Its models answer now, unless a later release is live or somebody has taken it back."),
    "TakenBack": ("is done", "What answered before answers again, unless a later release is live."),
    "Served": ("is served", "Nothing was trained, as its manifest.json asks; the live models answer for its records."),
    "HistoryRecorded": ("is recorded", "Its features are kept as they were known at that time. Nothing else changed."),
}
_DONE = ("is done", "It ended as it should.")
_SHOWN_SHARDS = 3


@dataclass(frozen=True)
class StageRow:
    """A stage as the page shows it.

    Attributes:
        words: what it does.
        status: in a word.
        started: ``10:03 UTC``, after another day ``30 November, 10:03 UTC``.
        took: ``3 min``.
        shards: how far the models are; empty for stages without.
    """

    words: str
    status: str
    started: str
    took: str
    shards: str = ""


@dataclass(frozen=True)
class RunPage:
    """What the page says.

    Attributes:
        title: which run this is.
        heading: how it stands.
        tone: ``running``, ``waiting``, ``good``, ``bad`` or ``over``, which colours the heading's side.
        lines: sentences about it: what happened, or what is waited for.
        advice: what to do next; empty where nothing is to be done.
        facts: names and values.
        stages: in their order.
        refreshes: whether the page changes by itself.
        has_data_quality: whether there is a page about the data.
    """

    title: str
    heading: str
    tone: str
    lines: tuple[str, ...]
    advice: str
    facts: tuple[tuple[str, str], ...]
    stages: tuple[StageRow, ...]
    refreshes: bool
    has_data_quality: bool


def describe(run: Run, record: DecisionRecord | None, shards: Sequence[Failure], now: datetime) -> RunPage:
    """The page of a run.

    Args:
        run: what Step Functions knows.
        record: the request for a decision; None before anybody was asked.
        shards: why shards failed; empty when none did.
        now: the time.
    """
    title = f"Roll-back {run.name}" if run.name.startswith(PREFIX) else f"Release {run.name}"
    heading, tone, lines, advice = _standing(run, record, shards)
    built = run.stage("BuildFeatures")
    return RunPage(
        title=title,
        heading=heading,
        tone=tone,
        lines=tuple(lines),
        advice=advice,
        facts=tuple(_facts(run, record, now)),
        stages=tuple(_row(stage, run.started, now) for stage in run.stages if _is_shown(stage)),
        refreshes=run.status == "RUNNING",
        has_data_quality=built is not None and built.status == "done",
    )


def _standing(run: Run, record: DecisionRecord | None, shards: Sequence[Failure]) -> tuple[str, str, list[str], str]:
    """Heading, tone, sentences and advice."""
    last = run.stages[-1] if run.stages else None
    if run.status == "RUNNING":
        if last is not None and last.status == "waiting":
            return "waits for a decision", "waiting", _waiting(record), ""
        doing = words(last.name) if last is not None else "Begin"
        return "is running", "running", [f"What it does now: {doing}."], ""
    if run.status == "SUCCEEDED":
        heading, sentence = _ENDS.get(last.name if last else "", _DONE)
        return heading, "good", [sentence, *_decided(record)], ""
    failures = list(shards[:_SHOWN_SHARDS]) or [of_end(run.error or run.status, run.cause, last.name if last else "")]
    lines = [failure.sentence for failure in failures]
    if len(shards) > _SHOWN_SHARDS:
        lines.append(f"{len(shards) - _SHOWN_SHARDS} more of its models failed too.")
    verb = "was not taken:" if run.name.startswith(PREFIX) else "did not go live:"
    if failures[0].is_done:
        verb = "is done, but"
    tone = "over" if run.error in DECIDED else "bad"
    return f"{verb} {failures[0].heading}", tone, lines, failures[0].advice


def _waiting(record: DecisionRecord | None) -> list[str]:
    """Whom it waits for, and until when."""
    if record is None:
        return ["The request for a decision is being sent."]
    lines = []
    if record.asked:
        lines.append(f"Asked: {', '.join(asked.address for asked in record.asked)}.")
    if record.quorum > 1:
        lines.append(f"{len(record.votes)} answered; {record.quorum} have to approve.")
    lines.append(f"It waits until {readable_time(record.expires_at)}. If nobody decides by then, nothing changes.")
    lines.append("To decide, open the link in the e-mail that asked you; this page decides nothing.")
    return lines


def _decided(record: DecisionRecord | None) -> list[str]:
    if record is None:
        return []
    lines = [f"Decided by {vote.by}: {vote.reason}" for vote in record.votes]
    lines += [f"Not approved: {slug}: {reason}" for slug, reason in record.rejected.items()]
    return lines


def _facts(run: Run, record: DecisionRecord | None, now: datetime) -> list[tuple[str, str]]:
    use_case, batch = run.given.get("use_case"), run.given.get("batch")
    known = isinstance(use_case, str) and isinstance(batch, str)
    facts = {
        "Use case": str(use_case or (record.use_case if record else "")).replace("_", " "),
        "Batch": data_layout.raw_batch(str(use_case), str(batch)) if known else "",
        "Started": readable_time(run.started.timestamp()),
        "Ended": readable_time(run.ended.timestamp()) if run.ended else "",
        "Took" if run.ended else "Runs for": duration(((run.ended or now) - run.started).total_seconds()),
    }
    return [(name, value) for name, value in facts.items() if value]


def _is_shown(stage: Stage) -> bool:
    return stage.kind in ("Task", "Map", "Parallel")


def _row(stage: Stage, began: datetime, now: datetime) -> StageRow:
    """A stage; its day is shown where it is not the day on which the run began."""
    shards = stage.shards
    day = "" if stage.started.date() == began.date() else f"{stage.started.day} {stage.started:%B}, "
    counted = ""
    if shards is not None and shards.total > 1:
        failed = f", {shards.failed} failed" if shards.failed else ""
        counted = f"{shards.done} of {shards.total} parts done{failed}"
    return StageRow(
        words=words(stage.name),
        status=stage.status,
        started=f"{day}{stage.started:%H:%M} UTC",
        took=duration(((stage.ended or now) - stage.started).total_seconds()),
        shards=counted,
    )


def words(state: str) -> str:
    """What a state does; of one that has no words, its name as words."""
    named = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", state).lower()
    return STAGES.get(state) or named[:1].upper() + named[1:]


def duration(seconds: float) -> str:
    """How long something took, as people say it: ``12 s``, ``3 min``, ``2 h 10 min``, ``3 days``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(hours / 24)} days"
