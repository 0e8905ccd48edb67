"""What became of each partition of a release, as EvaluateModel writes it in ``outcome.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ready", "refused", "failed"]


@dataclass(frozen=True)
class PartitionResult:
    """One partition of a release.

    Attributes:
        partition: its name, as in the data.
        slug: the name as it stands in keys.
        shard: the number of the shard it was trained in.
        status: only a ``ready`` one has a model to release.
        model_key: of the model's archive, below ``models/``; empty without a model.
        digest: the SHA-256 of the ``model.json`` in the archive, as the job that packed it computed it; empty without a
            model, and for models of earlier versions.
        metrics: name -> figure, measured on tenants that the model never saw.
        intervals: name -> the low and the high end of a figure's 95% interval; models of earlier versions have none.
        tenants: how many there are; None when it is not known.
        bad_share: the share of them in the bad group, 0 to 1; None where there is none.
        scale: ``global`` or ``local``; empty without a model.
        validation: how the answers of its model compare with what became of tenants, in sentences; empty without one.
        notes: what the approver should know about it, in sentences.
        code: of the refusal or failure; empty when ready.
        message: of the refusal or failure; empty when ready.
    """

    partition: str
    slug: str
    shard: int
    status: Status
    model_key: str = ""
    digest: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Sequence[float]] = field(default_factory=dict)
    tenants: int | None = None
    bad_share: float | None = None
    scale: str = ""
    validation: str = ""
    notes: tuple[str, ...] = ()
    code: str = ""
    message: str = ""

    def figure(self, name: str) -> str:
        """A figure and its interval, as a person reads them."""
        bounds = self.intervals.get(name)
        return f"{self.metrics[name]:.3f}" + (f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else "")

    @property
    def is_ready(self) -> bool:
        """Whether its model can be released."""
        return self.status == "ready"

    @classmethod
    def read(cls, row: Mapping[str, Any], **known: Any) -> PartitionResult:
        """Reads a JSON object of these fields. Absent ones are unknown, and further ones are left out.

        Args:
            row: the object.
            known: fields that the object itself does not hold.
        """
        document = {**row, **known}
        return cls(
            partition=document["partition"],
            slug=document["slug"],
            shard=document["shard"],
            status=document["status"],
            model_key=document.get("model_key") or "",
            digest=document.get("digest") or "",
            metrics=document.get("metrics") or {},
            intervals=document.get("intervals") or {},
            tenants=document.get("tenants"),
            bad_share=document.get("bad_share"),
            scale=document.get("scale") or "",
            validation=document.get("validation") or "",
            notes=tuple(document.get("notes") or ()),
            code=document.get("code") or "",
            message=document.get("message") or "",
        )


@dataclass(frozen=True)
class ShardResult:
    """The partitions of one shard.

    Attributes:
        shard: its number.
        partitions: in the order of the outcome; empty when the whole shard was refused before any was tried.
    """

    shard: int
    partitions: tuple[PartitionResult, ...]

    @classmethod
    def read(cls, outcome: Mapping[str, Any], shard: int) -> ShardResult:
        """Reads a shard's ``outcome.json``."""
        return cls(shard, tuple(PartitionResult.read(row, shard=shard) for row in outcome.get("partitions", [])))

    @property
    def ready(self) -> list[PartitionResult]:
        """The partitions that have a model to release."""
        return [partition for partition in self.partitions if partition.is_ready]


def ready_partitions(shards: Iterable[ShardResult]) -> list[PartitionResult]:
    """Every partition of a release that has a model to release."""
    return [partition for shard in shards for partition in shard.ready]
