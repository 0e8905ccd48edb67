"""Features into the Feature Store: only what changed, nothing twice, and every failure by name.

What is compared is the record without its ``event_time``. An online record changes only when its EventTime is greater,
so EventTime is the ingestion's own clock in whole seconds, moved past the stored one when it has to be.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Protocol

from tenant_experience.errors import PlatformError

EVENT_TIME = "event_time"
BATCH_SIZE = 100
THREADS = 8
# A tenant that could not be written keeps being served as before: one is a blip, more than this a fault.
FAILED_SHARE = 0.001
_SECONDS_BETWEEN_REPORTS = 3.0
_BATCHES_AHEAD = 4 * THREADS

Record = dict[str, str]
logger = logging.getLogger("ingestion")


class FeatureStore(Protocol):
    """One feature group of the store. Absent features are absent keys."""

    def read(self, ids: Sequence[str]) -> dict[str, Record]:
        """The stored records of at most 100 ids; ids that are not stored are missing from the answer."""

    def write(self, record: Record) -> None:
        """Writes one record.

        Raises:
            RecordRefusedError: this record could not be written, others may be.
        """


class RecordRefusedError(Exception):
    """The store did not take one record; ``reason`` is its error code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class IngestionResult:
    """What an ingestion did; ``failed`` maps record ids to the store's error codes."""

    records: int = 0
    written: int = 0
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __iadd__(self, other: IngestionResult) -> IngestionResult:
        """Adds the figures of another part."""
        self.records += other.records
        self.written += other.written
        self.unchanged += other.unchanged
        self.failed |= other.failed
        return self

    def raise_over_limit(self) -> None:
        """Fails when more than 0.1% of the records, and more than one, could not be written.

        Raises:
            PlatformError: ``ingestion_failed``.
        """
        allowed = max(1, int(self.records * FAILED_SHARE))
        if len(self.failed) > allowed:
            reasons = ", ".join(sorted(set(self.failed.values())))
            raise PlatformError(
                f"{len(self.failed)} of {self.records} records could not be written to the feature store ({reasons}); "
                f"at most {allowed} may fail. They are listed in failed_records.json; running again writes only them",
                code="ingestion_failed",
            )


def ingest(
    store: FeatureStore,
    record_id: str,
    records: Iterable[Record],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    report: Callable[[str], None] | None = None,
) -> IngestionResult:
    """Writes the records that are new or changed.

    Args:
        store: the feature group.
        record_id: the feature that identifies a record.
        records: without ``event_time``; read lazily, a few thousand ahead.
        now: the clock, UTC.
        report: told the progress every few seconds; the log when None.
    """
    tell = report or logger.info
    total, started, reported = IngestionResult(), time.monotonic(), time.monotonic()
    batches = _batches(records)
    with ThreadPoolExecutor(THREADS) as pool:
        pending: set[Future[IngestionResult]] = set()
        try:
            while True:
                for batch in islice(batches, _BATCHES_AHEAD - len(pending)):
                    pending.add(pool.submit(_ingest_batch, store, record_id, batch, now))
                if not pending:
                    break
                done, pending = wait(pending, timeout=_SECONDS_BETWEEN_REPORTS, return_when=FIRST_COMPLETED)
                for future in done:
                    total += future.result()
                if time.monotonic() - reported >= _SECONDS_BETWEEN_REPORTS:
                    reported = time.monotonic()
                    tell(_progress(total, reported - started))
        except BaseException:
            # One part met an error that all others would meet: what has not begun need not begin.
            pool.shutdown(cancel_futures=True)
            raise
    tell(_progress(total, time.monotonic() - started))
    return total


def event_time_after(now: datetime, stored: str | None) -> str:
    """``now`` as the store's EventTime, or one second after ``stored`` when that is not earlier.

    Args:
        now: UTC; cut to whole seconds.
        stored: ``yyyy-MM-ddTHH:mm:ssZ``, with or without milliseconds; None when there is no record.
    """
    moment = now.astimezone(UTC).replace(microsecond=0)
    if stored is not None:
        moment = max(moment, datetime.fromisoformat(stored).replace(microsecond=0) + timedelta(seconds=1))
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _ingest_batch(
    store: FeatureStore, record_id: str, batch: list[Record], now: Callable[[], datetime]
) -> IngestionResult:
    stored = store.read([record[record_id] for record in batch])
    result = IngestionResult(records=len(batch))
    for record in batch:
        known = stored.get(record[record_id])
        if known is not None and _same(record, known):
            result.unchanged += 1
            continue
        event_time = event_time_after(now(), known[EVENT_TIME] if known else None)
        try:
            store.write({**record, EVENT_TIME: event_time})
        except RecordRefusedError as refusal:
            result.failed[record[record_id]] = refusal.reason
        else:
            result.written += 1
    return result


def _same(record: Mapping[str, str], stored: Mapping[str, str]) -> bool:
    return record == {name: value for name, value in stored.items() if name != EVENT_TIME}


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(islice(iterator, BATCH_SIZE)):
        yield batch


def _progress(total: IngestionResult, seconds: float) -> str:
    rate = total.records / seconds if seconds else 0.0
    return (
        f"{total.records} records in {seconds:.1f} s ({rate:.0f}/s): "
        f"{total.written} written, {total.unchanged} unchanged, {len(total.failed)} failed"
    )
