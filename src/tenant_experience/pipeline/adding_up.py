"""Batches that add up: which events of earlier batches a batch is read with, and what it keeps for later ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tenant_experience.errors import TenantExperienceError, UserError
from tenant_experience.features.looking_back import first_month, kept_days
from tenant_experience.intake.engine import ProcessingEngine
from tenant_experience.intake.events import columns_of_events
from tenant_experience.intake.kept_events import EventStore, KeptEvents, find_kept, form_of, new_rows
from tenant_experience.pipeline.batch import Batch
from tenant_experience.use_case.events import DELETED

# Whole months are read, an export may lie in the bucket for some days, and clocks may be a day ahead.
_ROOM_DAYS = 62
# What refuses a release, and says nothing against its rows.
_TOO_LITTLE = ("too_few_tenants", "missing_class", "no_events_before_as_of", "stale_events")


@dataclass(frozen=True)
class AddingUp:
    """Where the events of batches that add up are kept.

    Attributes:
        store: of the use case.
        batch: the name of this batch.
        hidden: whether pseudonyms replace ids.
        retention_days: after how many days S3 removes what was kept; None: never.
    """

    store: EventStore
    batch: str
    hidden: bool = False
    retention_days: int | None = None

    def find(self, batch: Batch, release: str) -> KeptEvents:
        """The events of other batches that count for this one.

        Raises:
            UserError: they cannot be read beside it, or would be removed while they still count.
        """
        needed = kept_days(batch.use_case, batch.as_of) + _ROOM_DAYS
        if self.retention_days is not None and needed > self.retention_days:
            raise UserError(
                f"events of {batch.use_case.name} count for {needed - _ROOM_DAYS} days, but this stack removes what it "
                f"keeps of them after {self.retention_days}: set its parameter EventRetentionDays to {needed} or more",
                code="events_removed_too_early",
            )
        columns = [*columns_of_events(batch.use_case), *([DELETED] if batch.has_deletions else [])]
        return find_kept(
            self.store,
            batch.use_case,
            columns,
            form=form_of(
                batch.source.kind, hidden=self.hidden, caseless=batch.use_case.record_id_case == "insensitive"
            ),
            release=release,
            batch=self.batch,
            requested_at=batch.requested_at,
            since=first_month(batch.use_case, batch.as_of),
        )


def keep_parts(engine: ProcessingEngine, kept: KeptEvents) -> None:
    """Keeps the rows of this batch by month. They count for nothing until the batch is accepted."""
    engine.keep_parts(kept, new_rows(kept, "staged", "repeated_hashes"))


@contextmanager
def kept_for_later(engine: ProcessingEngine, kept: KeptEvents | None) -> Iterator[None]:
    """Keeps the rows of a batch when nothing is wrong with them, but there is too little yet, or nothing recent.

    Otherwise a log could not be built from small batches, nor from batches in any order.

    Args:
        engine: holds the rows.
        kept: where they are kept; None: nowhere.

    Raises:
        TenantExperienceError: the same, and says that they are kept.
    """
    try:
        yield
    except TenantExperienceError as error:
        if kept is None or error.code not in _TOO_LITTLE:
            raise
        keep_parts(engine, kept)
        accept(kept)
        message = f"{error.message}. The events of this batch are kept, and count together with those of the next one"
        raise type(error)(message, code=error.code) from error


def accept(kept: KeptEvents) -> None:
    """Makes the rows of this batch count for later ones, in place of those of an earlier upload of the same name."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mark.json"
        path.write_text(json.dumps({"parts": kept.writing}) + "\n")
        kept.store.put(path, kept.mark)
