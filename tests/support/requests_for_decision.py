"""A request for a decision about three models, as tests need it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tenant_experience.release.approval import Approval, Asked, partitions_to_decide, summarise
from tenant_experience.release.partition_result import ShardResult
from tenant_experience.use_case.approval_rules import ApprovalRules
from tests.support.words import TENANT_WORDS

ADA, BEN, CAT = "Ada@example.com", "ben@example.com", "cat@example.com"
SLUGS = ("east", "north", "west")
ROWS = [{"partition": slug.title(), "slug": slug, "status": "ready", "metrics": {"roc_auc": 0.9}} for slug in SLUGS]
SHARDS = [ShardResult.read({"partitions": ROWS}, 0)]


def request(approval_id: str = "r1", quorum: int = 1, **changes: Any) -> Approval:
    """Pending, of three approvers."""
    made = Approval(
        approval_id=approval_id,
        execution_arn=f"arn:execution:{approval_id}",
        expires_at=1000,
        status="pending",
        summary=summarise(approval_id, "tenant_experience", "2026-11-01T00:00:00Z", SHARDS, None, (), "", TENANT_WORDS),
        requested_at="2026-11-29T10:00:00Z",
        started_at="2026-11-29T09:00:00Z",
        rules=ApprovalRules(quorum=quorum),
        partitions=partitions_to_decide(SHARDS),
        asked=(Asked(ADA), Asked(BEN), Asked(CAT)),
    )
    return replace(made, **changes)
