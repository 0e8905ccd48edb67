"""Runs a stage for each partition of a shard: a failure becomes a row of the outcome and does not end the others."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tenant_experience.data_layout import GLOBAL_PARTITION, PARTITIONS_FILE
from tenant_experience.errors import PlatformError, TenantExperienceError
from tenant_experience.jobs.outcome import MESSAGE_LIMIT, Outcome
from tenant_experience.use_case.group_choice import FIND_NEW, GroupChoice

Status = Literal["ready", "refused", "failed"]
READY: Status = "ready"
Figures = Mapping[str, Any]
_log = logging.getLogger("partitions")


@dataclass(frozen=True)
class Partition:
    """One model to make: the partition's name, and the slug that stands for it in keys."""

    partition: str
    slug: str

    @property
    def scale(self) -> Literal["global", "local"]:
        """Only the groups of the global partition allow comparisons between portfolios."""
        return "global" if self.slug == GLOBAL_PARTITION else "local"


@dataclass(frozen=True)
class PartitionOutcome:
    """What became of one partition in a stage.

    Attributes:
        partition: its name, as in the data.
        slug: the name as it stands in keys.
        status: ``ready``, ``refused`` (the data's fault) or ``failed`` (ours).
        fault: ``user``, ``algorithm`` or ``platform``; None when ready.
        code: the error's stable code; None when ready.
        message: the error's sentence, cut to 2,000 characters; None when ready.
        figures: the stage's own results, JSON-able, written beside the six fields above.
    """

    partition: str
    slug: str
    status: Status
    fault: str | None = None
    code: str | None = None
    message: str | None = None
    figures: Figures = field(default_factory=dict)

    @classmethod
    def failed(cls, partition: Partition, fault: str, code: str, message: str) -> PartitionOutcome:
        """A partition that ended in an error."""
        status: Status = "failed" if fault == PlatformError.fault else "refused"
        return cls(partition.partition, partition.slug, status, fault, code, message[:MESSAGE_LIMIT])

    @property
    def is_ready(self) -> bool:
        """Whether later stages work on it."""
        return self.status == READY

    def as_row(self) -> dict[str, Any]:
        """The partition's row in ``outcome.json``: the fixed keys, then the figures."""
        return {key: getattr(self, key) for key in _FIXED_KEYS} | dict(self.figures)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> PartitionOutcome:
        """The reverse of ``as_row``."""
        figures = {key: value for key, value in row.items() if key not in _FIXED_KEYS}
        return cls(**{key: row[key] for key in _FIXED_KEYS}, figures=figures)


_FIXED_KEYS = ("partition", "slug", "status", "fault", "code", "message")


def read_shard(folder: Path, shard: int) -> list[Partition]:
    """The partitions of one shard, from ``partitions.json`` in ``folder``.

    Raises:
        PlatformError: ``unknown_shard``; it is a bug, because the state machine takes the numbers from this file.
    """
    for entry in json.loads((folder / PARTITIONS_FILE).read_text()):
        if entry["shard"] == shard:
            return [Partition(row["partition"], row["slug"]) for row in entry["partitions"]]
    raise PlatformError(f"{folder / PARTITIONS_FILE} has no shard {shard}", code="unknown_shard")


def read_partitions(folder: Path) -> list[Partition]:
    """The partitions of every shard, from ``partitions.json`` in ``folder``."""
    shards = json.loads((folder / PARTITIONS_FILE).read_text())
    return [Partition(row["partition"], row["slug"]) for shard in shards for row in shard["partitions"]]


def read_group_choice(folder: Path) -> GroupChoice:
    """Where the groups come from, from ``partitions.json`` in ``folder``; earlier versions always found new ones."""
    chosen = json.loads((folder / PARTITIONS_FILE).read_text())[0].get("groups")
    return FIND_NEW if chosen is None else GroupChoice(**chosen)


def read_pooled(folder: Path) -> bool:
    """Whether the model gets levels for partitions, from ``partitions.json``; earlier versions had no such models."""
    return bool(json.loads((folder / PARTITIONS_FILE).read_text())[0].get("scope") == "pooled")


def run_partitions(
    partitions: Sequence[Partition],
    work: Callable[[Partition], Figures],
    earlier: Mapping[str, PartitionOutcome] | None = None,
    at_once: int = 1,
) -> list[PartitionOutcome]:
    """Does the work for each partition that is still ready after the earlier stages.

    Args:
        partitions: in the order in which they are processed and reported.
        work: processes one partition and returns its figures, JSON-able.
        earlier: slug -> the outcome of an earlier stage in which the partition was not ready; passed on unchanged.
        at_once: how many partitions are processed at a time, each in its own thread.

    Returns:
        One outcome per partition.

    Raises:
        Exception: the first unexpected error, when every partition ended in one: then it is a bug or the machine.
    """

    def run(partition: Partition) -> tuple[PartitionOutcome, Exception | None]:
        given_up = (earlier or {}).get(partition.slug)
        return _run(partition, work) if given_up is None else (given_up, None)

    with ThreadPoolExecutor(at_once) as threads:
        results = list(threads.map(run, partitions))
    outcomes = [outcome for outcome, _ in results]
    errors = [error for _, error in results if error is not None]
    if errors and all(outcome.status == "failed" for outcome in outcomes):
        raise errors[0]
    return outcomes


def _run(partition: Partition, work: Callable[[Partition], Figures]) -> tuple[PartitionOutcome, Exception | None]:
    """The partition's outcome, and the error if it is not the data's fault."""
    try:
        return PartitionOutcome(partition.partition, partition.slug, READY, figures=work(partition)), None
    except TenantExperienceError as error:
        ours = isinstance(error, PlatformError)
        _log.warning("partition %s: %s", partition.slug, error, exc_info=ours)
        outcome = PartitionOutcome.failed(partition, error.fault, error.code, error.message)
        return outcome, error if ours else None
    except Exception as error:  # noqa: BLE001 - logged, kept in the outcome, and raised when every partition failed
        _log.exception("partition %s failed", partition.slug)
        message = f"{type(error).__name__}: {error}"
        return PartitionOutcome.failed(partition, PlatformError.fault, "unexpected", message), error


def shard_outcome(outcomes: Sequence[PartitionOutcome], **figures: Any) -> Outcome:
    """``ok`` when at least one partition is ready; else refused, as the first refusal was."""
    rows = [outcome.as_row() for outcome in outcomes]
    if any(outcome.is_ready for outcome in outcomes):
        return Outcome.ok(partitions=rows, **figures)
    first = next((outcome for outcome in outcomes if outcome.status == "refused"), outcomes[0])
    return Outcome("refused", first.fault, first.code, first.message, {"partitions": rows, **figures})


def not_ready(outcome: Outcome, partitions: Sequence[Partition]) -> dict[str, PartitionOutcome]:
    """Slug -> outcome of the partitions that are not ready after an earlier stage: all when that stage refused.

    Args:
        outcome: of the earlier stage.
        partitions: of the shard.
    """
    rows = outcome.figures.get("partitions")
    if rows is None and outcome.status != "ok":
        fault, code, message = outcome.fault, outcome.code, outcome.message
        return {
            each.slug: PartitionOutcome(each.partition, each.slug, "refused", fault, code, message)
            for each in partitions
        }
    outcomes = [PartitionOutcome.read(row) for row in rows or []]
    return {each.slug: each for each in outcomes if not each.is_ready}
