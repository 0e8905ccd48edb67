"""The rules of approval: who may decide what, when, and what is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tenant_experience.errors import UserError

Decision = Literal["approved", "rejected"]
Status = Literal["pending", "approved", "rejected"]

MAX_REASON = 800  # with the approver's name it must fit ApprovalDescription (1,024 characters)
MAX_NAME = 120
# What is told of a model at a glance: of classes the first three, of a number the others.
FIGURES = {"roc_auc": "ROC AUC", "pr_auc": "PR AUC", "brier": "Brier", "rmse": "RMSE", "mae": "MAE", "r2": "R squared"}
_MAX_MESSAGE = 300  # fifty of them, with all else, stay far below an item's 400 KB


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
        delivered: whether the waiting execution has been told.
        approver: who decided, as typed.
        reason: why, as typed.
        decided_at: ISO 8601 UTC.
    """

    approval_id: str
    execution_arn: str
    expires_at: int
    status: Status
    summary: Mapping[str, Any]
    mailed: bool = False
    delivered: bool = False
    approver: str | None = None
    reason: str | None = None
    decided_at: str | None = None

    @property
    def signed_text(self) -> bytes:
        """What the link's MAC is made over: it holds for this release, this execution and this expiry only."""
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
        raise UserError("type your name: the decision is recorded under it", code="missing_approver")
    if len(reason) < 3:
        raise UserError(
            "type a reason of at least three characters: it is recorded with the model", code="missing_reason"
        )
    if len(approver) > MAX_NAME or len(reason) > MAX_REASON:
        raise UserError(f"at most {MAX_NAME} characters of name and {MAX_REASON} of reason", code="too_long")
    return ("approved" if decision == "approve" else "rejected"), approver, reason


def figures_told(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of ``FIGURES`` those that some model has: name -> as a person reads it."""
    return {name: words for name, words in FIGURES.items() if any(name in row.get("metrics", {}) for row in rows)}


def summarise(
    release: str,
    use_case: str,
    as_of: str,
    shards: Sequence[Mapping[str, Any]],
    live: str | None,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """What an approver needs to see, from the evaluation outcome of every shard.

    Args:
        release: the release's id.
        use_case: its use case.
        as_of: the features' time.
        shards: outcome and number of every shard.
        live: the release that answers now, or None.
        warnings: of the data-quality report.

    Returns:
        ready and refused partitions (at most 50 of each are listed; the counts are exact).
    """
    rows = [
        {**row, "shard": shard["shard"], "message": (row.get("message") or "")[:_MAX_MESSAGE]}
        for shard in shards
        for row in shard.get("partitions", [])
    ]
    ready = [row for row in rows if row["status"] == "ready"]
    refused = [row for row in rows if row["status"] != "ready"]
    listed = ("partition", "slug", "shard", "metrics", "tenants", "bad_share", "scale", "code", "message")
    return {
        "release": release,
        "use_case": use_case,
        "as_of": as_of,
        "live_release": live,
        "warnings": list(warnings),
        "ready_count": len(ready),
        "refused_count": len(refused),
        "ready": [{key: row[key] for key in listed if row.get(key) not in (None, "")} for row in ready[:50]],
        "refused": [{key: row[key] for key in listed if row.get(key) not in (None, "")} for row in refused[:50]],
    }
