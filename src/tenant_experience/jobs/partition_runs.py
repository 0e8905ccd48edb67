"""A shard's partitions, each by itself: one that fails is a row in the outcome, not the end of the others."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tenant_experience.data_layout import GLOBAL_PARTITION, PARTITIONS_FILE
from tenant_experience.errors import PlatformError, TenantExperienceError
from tenant_experience.jobs.outcome import MESSAGE_LIMIT, Outcome

READY, REFUSED, FAILED = "ready", "refused", "failed"
Row = dict[str, Any]
_log = logging.getLogger("partitions")


@dataclass(frozen=True)
class Partition:
    """One model to make: the partition's name, and the same spelled for keys."""

    partition: str
    slug: str

    @property
    def scale(self) -> Literal["global", "local"]:
        """Portfolios may be compared by the global partition's groups only."""
        return "global" if self.slug == GLOBAL_PARTITION else "local"


def read_shard(folder: Path, shard: int) -> list[Partition]:
    """The partitions of one shard, from ``partitions.json`` in ``folder``.

    Raises:
        PlatformError: ``unknown_shard``; the state machine only asks for shards that the file names.
    """
    for entry in json.loads((folder / PARTITIONS_FILE).read_text()):
        if entry["shard"] == shard:
            return [Partition(row["partition"], row["slug"]) for row in entry["partitions"]]
    raise PlatformError(f"{folder / PARTITIONS_FILE} has no shard {shard}", code="unknown_shard")


def run_partitions(
    partitions: Sequence[Partition],
    work: Callable[[Partition], Row],
    earlier: Mapping[str, Row] | None = None,
    at_once: int = 1,
) -> list[Row]:
    """Does the work for each partition that no earlier stage has given up.

    Args:
        partitions: in the order they are done and reported.
        work: does it for one partition and returns its figures, JSON-able.
        earlier: by slug, rows of earlier stages that are not ready: passed on as they are.
        at_once: how many are done at a time, each in a thread of its own.

    Returns:
        One row a partition: partition, slug, status, fault, code, message, and the work's figures.

    Raises:
        Exception: the first unexpected error, when every partition ended in one: that is a bug or the machine.
    """

    def run(partition: Partition) -> tuple[Row, Exception | None]:
        given_up = (earlier or {}).get(partition.slug)
        return _run(partition, work) if given_up is None else (given_up, None)

    with ThreadPoolExecutor(at_once) as threads:
        results = list(threads.map(run, partitions))
    rows = [row for row, _ in results]
    errors = [error for _, error in results if error is not None]
    if errors and all(row["status"] == FAILED for row in rows):
        raise errors[0]
    return rows


def _run(partition: Partition, work: Callable[[Partition], Row]) -> tuple[Row, Exception | None]:
    """The partition's row, and the error in it that is not the data's."""
    try:
        return _row(partition, READY) | work(partition), None
    except TenantExperienceError as error:
        ours = isinstance(error, PlatformError)
        _log.warning("partition %s: %s", partition.slug, error, exc_info=ours)
        return _error_row(partition, error.fault, error.code, error.message), error if ours else None
    except Exception as error:  # noqa: BLE001 - logged, told in the row, and raised when no partition did better
        _log.exception("partition %s failed", partition.slug)
        return _error_row(partition, PlatformError.fault, "unexpected", f"{type(error).__name__}: {error}"), error


def shard_outcome(rows: Sequence[Row], **figures: Any) -> Outcome:
    """``ok`` when a partition is ready, else refused with the first refusal's fault, code and message."""
    if any(row["status"] == READY for row in rows):
        return Outcome.ok(partitions=list(rows), **figures)
    first = next((row for row in rows if row["status"] == REFUSED), rows[0])
    return Outcome("refused", first["fault"], first["code"], first["message"], {"partitions": list(rows), **figures})


def not_ready(outcome: Outcome, partitions: Sequence[Partition]) -> dict[str, Row]:
    """By slug, the rows of an earlier stage that later ones only pass on; all of them when the stage refused at once.

    Args:
        outcome: of the earlier stage.
        partitions: of the shard.
    """
    rows = outcome.figures.get("partitions")
    if rows is None and outcome.status != "ok":
        told = {"fault": outcome.fault, "code": outcome.code, "message": outcome.message}
        return {partition.slug: _row(partition, REFUSED) | told for partition in partitions}
    return {row["slug"]: row for row in rows or [] if row["status"] != READY}


def _row(partition: Partition, status: str) -> Row:
    empty = {"fault": None, "code": None, "message": None}
    return {"partition": partition.partition, "slug": partition.slug, "status": status, **empty}


def _error_row(partition: Partition, fault: str, code: str, message: str) -> Row:
    status = FAILED if fault == PlatformError.fault else REFUSED
    return _row(partition, status) | {"fault": fault, "code": code, "message": message[:MESSAGE_LIMIT]}
