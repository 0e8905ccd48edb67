"""The rules of approval: who may decide what and when, what the approver is shown, and what is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tenant_experience.errors import UserError
from tenant_experience.release.brief import ShortBrief
from tenant_experience.release.partition_result import PartitionResult, ShardResult
from tenant_experience.use_case.words import Words

Decision = Literal["approved", "rejected"]
Status = Literal["pending", "approved", "rejected"]

MAX_REASON = 800  # with the approver's name it must fit ApprovalDescription (1,024 characters)
MAX_NAME = 120
# The figures shown for each model: models of classes have the first three, models of numbers the others
# (the C-index only where the number is the days until an event).
FIGURES = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "brier": "Brier",
    "concordance": "C-index",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R squared",
}
_MAX_LISTED = 50
# Fifty messages, and fifty partitions with three notes and a validation each, stay below DynamoDB's 400 KB for an item.
# The longest message names five broken gates, and the share of bad by the rule of the live release.
_MAX_MESSAGE = 1500
_MAX_NOTES, _MAX_NOTE = 3, 700


@dataclass(frozen=True)
class ApprovalSummary:
    """What the page and the e-mail show of a release.

    Attributes:
        release: the release's id.
        use_case: its use case.
        as_of: the features' time, ISO 8601 UTC.
        live_release: the release that was live when the decision was requested, or None.
        warnings: of the data-quality report.
        ready_count: how many partitions have a model to release.
        refused_count: how many do not.
        ready: at most 50 of the former.
        refused: at most 50 of the latter, their messages cut to 1,500 characters.
        batch: the uploader's folder, ``raw/<use case>/<batch>/``; empty where it is not known.
        words: what texts call records and partitions.
        brief: what matters, in a few sentences; without a verdict in requests of earlier versions.
    """

    release: str
    use_case: str
    as_of: str
    live_release: str | None
    warnings: tuple[str, ...]
    ready_count: int
    refused_count: int
    ready: tuple[PartitionResult, ...]
    refused: tuple[PartitionResult, ...]
    batch: str = ""
    words: Words = field(default_factory=Words)
    brief: ShortBrief = field(default_factory=ShortBrief)

    @property
    def figures(self) -> dict[str, str]:
        """The ``FIGURES`` that at least one listed model has: name -> as a person reads it."""
        return {name: words for name, words in FIGURES.items() if any(name in row.metrics for row in self.ready)}

    def as_document(self) -> dict[str, Any]:
        """The JSON object stored with the request. Unknown fields of a partition are left out."""
        return {
            "release": self.release,
            "use_case": self.use_case,
            "as_of": self.as_of,
            "live_release": self.live_release,
            "warnings": list(self.warnings),
            "ready_count": self.ready_count,
            "refused_count": self.refused_count,
            "ready": [_stored(row) for row in self.ready],
            "refused": [_stored(row) for row in self.refused],
            "batch": self.batch,
            "words": self.words.document(),
            "brief": asdict(self.brief),
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> ApprovalSummary:
        """The reverse of ``as_document``. Requests stored by earlier versions have no warnings, batch or words."""
        return cls(
            release=document["release"],
            use_case=document["use_case"],
            as_of=document["as_of"],
            live_release=document["live_release"],
            warnings=tuple(document.get("warnings", ())),
            ready_count=document["ready_count"],
            refused_count=document["refused_count"],
            ready=tuple(PartitionResult.read(row, status="ready") for row in document["ready"]),
            refused=tuple(PartitionResult.read(row, status="refused") for row in document["refused"]),
            batch=document.get("batch", ""),
            words=Words.read(document.get("words")),
            brief=ShortBrief.read(document.get("brief")),
        )


def _stored(row: PartitionResult) -> dict[str, Any]:
    fields = {
        "partition": row.partition,
        "slug": row.slug,
        "shard": row.shard,
        "metrics": dict(row.metrics),
        "intervals": {name: list(bounds) for name, bounds in row.intervals.items() if name in FIGURES} or None,
        "tenants": row.tenants,
        "bad_share": row.bad_share,
        "scale": row.scale,
        "validation": row.validation[:_MAX_NOTE],
        "notes": [note[:_MAX_NOTE] for note in row.notes[:_MAX_NOTES]] or None,
        "code": row.code,
        "message": row.message[:_MAX_MESSAGE],
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


@dataclass(frozen=True)
class Approval:
    """One request for a decision about one release.

    Attributes:
        approval_id: the release's id.
        execution_arn: the execution that waits.
        expires_at: Unix seconds; no decision is taken from then on.
        status: pending, approved or rejected.
        summary: what the page and the e-mail show.
        mailed: whether the e-mail was sent.
        delivered: whether the waiting execution has received the decision.
        approver: who decided, as typed.
        reason: why, as typed.
        decided_at: ISO 8601 UTC.
    """

    approval_id: str
    execution_arn: str
    expires_at: int
    status: Status
    summary: ApprovalSummary
    mailed: bool = False
    delivered: bool = False
    approver: str | None = None
    reason: str | None = None
    decided_at: str | None = None

    @property
    def signed_text(self) -> bytes:
        """What the link's MAC covers: a link is valid for this release, this execution and this expiry only."""
        return "\n".join(("approval", self.approval_id, self.execution_arn, str(self.expires_at))).encode()

    @property
    def decision(self) -> dict[str, str]:
        """What the waiting execution receives: decision, approver, reason, decided_at."""
        return {
            "decision": self.status,
            "approver": self.approver or "",
            "reason": self.reason or "",
            "decided_at": self.decided_at or "",
        }

    def is_open(self, now: int) -> bool:
        """Whether a decision may still be taken at ``now`` (Unix seconds)."""
        return self.status == "pending" and now < self.expires_at


def read_decision(form: Mapping[str, str]) -> tuple[Decision, str, str]:
    """The decision, the approver and the reason of a submitted form.

    Raises:
        UserError: ``bad_decision``, ``missing_approver``, ``missing_reason`` or ``too_long``, naming the field.
    """
    decision = form.get("decision", "")
    approver = " ".join(form.get("approver", "").split())
    reason = " ".join(form.get("reason", "").split())
    if decision not in ("approve", "reject"):
        raise UserError("choose Approve or Reject", code="bad_decision")
    if not approver:
        raise UserError("enter your name; the decision is recorded under it", code="missing_approver")
    if len(reason) < 3:
        raise UserError(
            "enter a reason of at least 3 characters; it is recorded with the models", code="missing_reason"
        )
    if len(approver) > MAX_NAME:
        raise UserError(f"the name is {len(approver)} characters long; shorten it to {MAX_NAME}", code="too_long")
    if len(reason) > MAX_REASON:
        raise UserError(f"the reason is {len(reason)} characters long; shorten it to {MAX_REASON}", code="too_long")
    return ("approved" if decision == "approve" else "rejected"), approver, reason


def summarise(
    release: str,
    use_case: str,
    as_of: str,
    shards: Sequence[ShardResult],
    live: str | None,
    warnings: Sequence[str],
    batch: str = "",
    words: Words | None = None,
    brief: ShortBrief | None = None,
) -> ApprovalSummary:
    """What an approver needs to see.

    Args:
        release: the release's id.
        use_case: its use case.
        as_of: the features' time.
        shards: the results of every shard.
        live: the release that answers now, or None.
        warnings: of the data-quality report.
        batch: the uploader's folder; empty where it is not known.
        words: of the use case; None where they are not known.
        brief: what matters; None where that is not known.
    """
    results = [partition for shard in shards for partition in shard.partitions]
    ready = [partition for partition in results if partition.is_ready]
    refused = [partition for partition in results if not partition.is_ready]
    return ApprovalSummary(
        release=release,
        use_case=use_case,
        as_of=as_of,
        live_release=live,
        warnings=tuple(warnings),
        ready_count=len(ready),
        refused_count=len(refused),
        ready=tuple(ready[:_MAX_LISTED]),
        refused=tuple(refused[:_MAX_LISTED]),
        batch=batch,
        words=words or Words(),
        brief=brief or ShortBrief(),
    )
