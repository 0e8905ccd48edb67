"""A shard's partitions, one after another: one that fails is a row in the outcome, not the end of the others."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tenant_experience.data_layout import GLOBAL_PARTITION, PARTITIONS_FILE
from tenant_experience.errors import PlatformError, TenantExperienceError
from tenant_experience.outcome import MESSAGE_LIMIT, Outcome

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
) -> list[Row]:
    """Does the work for each partition that no earlier stage has given up.

    Args:
        partitions: in the order they are done and reported.
        work: does it for one partition and returns its figures, JSON-able.
        earlier: by slug, rows of earlier stages that are not ready: passed on as they are.

    Returns:
        One row a partition: partition, slug, status, fault, code, message, and the work's figures.

    Raises:
        Exception: the first unexpected error, when every partition ended in one: that is a bug or the machine.
    """
    rows: list[Row] = []
    errors: list[Exception] = []
    for partition in partitions:
        given_up = (earlier or {}).get(partition.slug)
        if given_up is not None:
            rows.append(given_up)
            continue
        try:
            rows.append(_row(partition, READY) | work(partition))
        except TenantExperienceError as error:
            if isinstance(error, PlatformError):
                errors.append(error)
            _log.warning("partition %s: %s", partition.slug, error, exc_info=isinstance(error, PlatformError))
            rows.append(_error_row(partition, error.fault, error.code, error.message))
        except Exception as error:  # noqa: BLE001 - logged, told in the row, and raised when no partition did better
            errors.append(error)
            _log.exception("partition %s failed", partition.slug)
            rows.append(_error_row(partition, PlatformError.fault, "unexpected", f"{type(error).__name__}: {error}"))
    if errors and all(row["status"] == FAILED for row in rows):
        raise errors[0]
    return rows


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
