"""Runs a stage for each partition of a shard: a failure becomes a row of the outcome and does not end the others."""

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
    """One model to make: the partition's name, and the slug that stands for it in keys."""

    partition: str
    slug: str

    @property
    def scale(self) -> Literal["global", "local"]:
        """Only the groups of the global partition allow comparisons between portfolios."""
        return "global" if self.slug == GLOBAL_PARTITION else "local"


def read_shard(folder: Path, shard: int) -> list[Partition]:
    """The partitions of one shard, from ``partitions.json`` in ``folder``.

    Raises:
        PlatformError: ``unknown_shard``; it is a bug, because the state machine takes the numbers from this file.
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
    """Does the work for each partition that is still ready after the earlier stages.

    Args:
        partitions: in the order in which they are processed and reported.
        work: processes one partition and returns its figures, JSON-able.
        earlier: slug -> the row of an earlier stage in which the partition was not ready; passed on unchanged.
        at_once: how many partitions are processed at a time, each in its own thread.

    Returns:
        One row per partition: partition, slug, status, fault, code, message, and the work's figures.

    Raises:
        Exception: the first unexpected error, when every partition ended in one: then it is a bug or the machine.
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
    """The partition's row, and the error if it is not the data's fault."""
    try:
        return _row(partition, READY) | work(partition), None
    except TenantExperienceError as error:
        ours = isinstance(error, PlatformError)
        _log.warning("partition %s: %s", partition.slug, error, exc_info=ours)
        return _error_row(partition, error.fault, error.code, error.message), error if ours else None
    except Exception as error:  # noqa: BLE001 - logged, kept in the row, and raised when every partition failed
        _log.exception("partition %s failed", partition.slug)
        return _error_row(partition, PlatformError.fault, "unexpected", f"{type(error).__name__}: {error}"), error


def shard_outcome(rows: Sequence[Row], **figures: Any) -> Outcome:
    """``ok`` when at least one partition is ready; else refused, as the first refusal was."""
    if any(row["status"] == READY for row in rows):
        return Outcome.ok(partitions=list(rows), **figures)
    first = next((row for row in rows if row["status"] == REFUSED), rows[0])
    return Outcome("refused", first["fault"], first["code"], first["message"], {"partitions": list(rows), **figures})


def not_ready(outcome: Outcome, partitions: Sequence[Partition]) -> dict[str, Row]:
    """Slug -> row of the partitions that are not ready after an earlier stage: all of them when that stage refused.

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
