"""A request for a decision: what the approver is shown, who is asked, what they answered, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tenant_experience.release.approver import approver_id
from tenant_experience.release.brief import ShortBrief
from tenant_experience.release.partition_result import PartitionResult, ShardResult
from tenant_experience.release.take_back import TakeBack
from tenant_experience.release.vote import Outcome, Vote
from tenant_experience.use_case.approval_rules import ApprovalRules
from tenant_experience.use_case.words import Words

Kind = Literal["release", "take_back"]
Status = Literal["pending", "approved", "rejected", "expired", "superseded", "withdrawn"]

# Of more partitions, not even the slugs would fit into an item together with votes about each of them.
MAX_PARTITIONS = 500
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
        automatic: why the rules of the use case approve it by themselves; empty where they do not.
        not_automatic: why not, in sentences; none where they do, or where they leave every decision to people.
        take_back: what a request to take a release back would change; None of a release.
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
    automatic: str = ""
    not_automatic: tuple[str, ...] = ()
    take_back: TakeBack | None = None

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
            "automatic": self.automatic,
            "not_automatic": list(self.not_automatic),
            **({"take_back": self.take_back.document()} if self.take_back else {}),
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
            automatic=document.get("automatic", ""),
            not_automatic=tuple(document.get("not_automatic", ())),
            take_back=TakeBack.read(document["take_back"]) if "take_back" in document else None,
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
class Asked:
    """One approver who is asked.

    Attributes:
        address: which the link was sent to.
        mailed: when, ISO 8601 UTC; empty while it was not.
        opened: when the page was opened first; empty while it was not.
    """

    address: str
    mailed: str = ""
    opened: str = ""

    @property
    def id(self) -> str:
        """The approver's, as links have it."""
        return approver_id(self.address)


@dataclass(frozen=True)
class Approval:
    """One request for a decision.

    Attributes:
        approval_id: the release's id, or the run id of a roll-back.
        execution_arn: the execution that waits.
        expires_at: Unix seconds; no decision is taken from then on.
        status: what has become of it.
        summary: what the page and the e-mail show.
        kind: what is to be decided.
        requested_at: ISO 8601 UTC.
        started_at: when the execution began, ISO 8601 UTC; a release never replaces one that began later.
        requested_by: the address of the one who uploaded the batch; empty where nobody is named.
        rules: of the use case.
        partitions: slug -> name of every model that may go live; none where there are so many that the release is
            decided as a whole.
        digests: slug -> the SHA-256 of the model's manifest, of the same partitions.
        revision: counts the writes; the condition of every decision.
        asked: who received a link.
        votes: one of each approver who has answered, the earliest first.
        outcome: what they decided; None while they have not.
        superseded_by: the newer release.
        delivered: whether the waiting execution has received the decision.
        approver: who ended the request without a vote; who decided, in requests of earlier versions.
        reason: why.
        decided_at: ISO 8601 UTC.
    """

    approval_id: str
    execution_arn: str
    expires_at: int
    status: Status
    summary: ApprovalSummary
    kind: Kind = "release"
    requested_at: str = ""
    started_at: str = ""
    requested_by: str = ""
    rules: ApprovalRules = field(default_factory=ApprovalRules)
    partitions: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    asked: tuple[Asked, ...] = ()
    votes: tuple[Vote, ...] = ()
    outcome: Outcome | None = None
    superseded_by: str = ""
    delivered: bool = False
    approver: str = ""
    reason: str = ""
    decided_at: str = ""

    def signed_text(self, address: str) -> bytes:
        """What a link's MAC covers: it is valid for this release, execution, expiry and address only.

        Links of earlier versions have no address.
        """
        bound_to = [address.lower()] if address else []
        return "\n".join(("approval", self.approval_id, self.execution_arn, str(self.expires_at), *bound_to)).encode()

    @property
    def use_case(self) -> str:
        """The use case that the release is of."""
        return self.summary.use_case

    @property
    def decided_by(self) -> str:
        """Everybody whose vote counted, or who ended the request otherwise."""
        return self.approver or "; ".join(vote.by for vote in self.votes)

    @property
    def decision(self) -> dict[str, str]:
        """What the waiting execution receives: decision, approver, reason, decided_at."""
        return {
            "decision": self.status,
            "approver": self.decided_by,
            "reason": self.reason or " / ".join(vote.reason for vote in self.votes),
            "decided_at": self.decided_at,
        }

    @property
    def models(self) -> dict[str, dict[str, str]]:
        """Slug -> version and digest, for the audit."""
        return {slug: {"version": self.approval_id, "digest": digest} for slug, digest in self.digests.items()}

    def is_open(self, now: int) -> bool:
        """Whether a decision may still be taken at ``now`` (Unix seconds)."""
        return self.status == "pending" and now < self.expires_at

    def asked_as(self, approver: str) -> Asked | None:
        """The approver of this id, if they were asked."""
        return next((each for each in self.asked if each.id == approver), None)

    def vote_of(self, address: str) -> Vote | None:
        """The vote that was recorded under an address."""
        return next((vote for vote in self.votes if vote.id == approver_id(address)), None)

    def overlaps(self, other: Approval) -> bool:
        """Whether both are about a partition of the same use case."""
        if self.use_case != other.use_case:
            return False
        return not self.partitions or not other.partitions or bool(self.partitions.keys() & other.partitions.keys())

    def began_before(self, other: Approval) -> bool:
        """Whether its execution began before that of ``other``."""
        return (self.started_at, self.approval_id) < (other.started_at, other.approval_id)

    def approves(self, slug: str) -> bool:
        """Whether the model of a partition may go live. Requests of earlier versions are decided as a whole."""
        if self.outcome is None:
            return self.status == "approved"
        return self.outcome.approves(slug)

    def verdict(self, slug: str) -> str:
        """Who decided about the model of a partition, and why, for the registry."""
        if self.outcome is None:
            return f"{self.status} by {self.decided_by}: {self.reason}"
        word = "approved" if self.outcome.approves(slug) else "rejected"
        votes = [vote for vote in self.votes if vote.approves(slug) == (word == "approved")]
        return f"{word} by " + "; ".join(f"{vote.by}: {vote.reason_for(slug)}" for vote in votes)


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
    *,
    automatic: str = "",
    not_automatic: tuple[str, ...] = (),
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
        automatic: why the rules of the use case approve it by themselves.
        not_automatic: why not.
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
        automatic=automatic,
        not_automatic=not_automatic,
    )


def partitions_to_decide(shards: Sequence[ShardResult]) -> dict[str, str]:
    """Slug -> name of every model that may go live; none where the release can only be decided as a whole."""
    found = {partition.slug: partition.partition[:100] for shard in shards for partition in shard.ready}
    return found if len(found) <= MAX_PARTITIONS else {}


def digests_to_decide(shards: Sequence[ShardResult]) -> dict[str, str]:
    """Slug -> digest of the same models, for the audit; those of earlier versions have none."""
    wanted = partitions_to_decide(shards)
    return {each.slug: each.digest for shard in shards for each in shard.ready if each.slug in wanted and each.digest}
