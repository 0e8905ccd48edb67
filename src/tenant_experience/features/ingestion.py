"""Writes features to the Feature Store: only those that changed, nothing twice, and every failure by name.

Records are compared without ``event_time`` and ``release``: the release of a served record is the one that last changed
it. A record that is served as of a later time is not changed, whatever the order in which releases arrive.

An online record changes only when its EventTime is greater. So EventTime is the ingestion's clock in whole seconds,
moved past the stored EventTime where necessary. History goes to the offline store only, and has its ``as_of`` as
EventTime: writing it again gives the same rows, and it never looks later than what is served.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Protocol

from tenant_experience.features.ingestion_result import IngestionResult

EVENT_TIME = "event_time"
AS_OF = "as_of"
RELEASE = "release"
BATCH_SIZE = 100
THREADS = 8
_NOT_COMPARED = frozenset({EVENT_TIME, RELEASE})
_SECONDS_BETWEEN_REPORTS = 3.0
_BATCHES_AHEAD = 4 * THREADS

Record = dict[str, str]
logger = logging.getLogger("ingestion")


class FeatureStore(Protocol):
    """One feature group of the store. Absent features are absent keys."""

    @property
    def record_id(self) -> str:
        """The feature that identifies a record."""

    def read(self, ids: Sequence[str]) -> dict[str, Record]:
        """Reads the online records of at most 100 ids; ids without a record are missing from the answer."""

    def write(self, records: Sequence[Record], *, offline_only: bool) -> dict[str, str]:
        """Writes records to the offline store, and online unless ``offline_only``.

        Returns:
            The ids of the records that could not be written, each with the error code of the store.
        """


def ingest(
    store: FeatureStore,
    records: Iterable[Record],
    *,
    history_only: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    report: Callable[[str], None] | None = None,
) -> IngestionResult:
    """Writes the records that are new or have changed.

    Args:
        store: the feature group.
        records: records without ``event_time``, each id once; they are read lazily, a few thousand ahead.
        history_only: whether all records go to the offline store only, so that what is served does not change.
        now: the clock, UTC.
        report: receives the progress every few seconds; None writes it to the log.
    """
    tell = report or logger.info
    ingest_batch = _write_history if history_only else partial(_write_changes, now=now)
    total, started, reported = IngestionResult(), time.monotonic(), time.monotonic()
    batches = _batches(records)
    with ThreadPoolExecutor(THREADS) as pool:
        pending: set[Future[IngestionResult]] = set()
        try:
            while True:
                for batch in islice(batches, _BATCHES_AHEAD - len(pending)):
                    pending.add(pool.submit(ingest_batch, store, batch))
                if not pending:
                    break
                done, pending = wait(pending, timeout=_SECONDS_BETWEEN_REPORTS, return_when=FIRST_COMPLETED)
                for future in done:
                    total += future.result()
                if time.monotonic() - reported >= _SECONDS_BETWEEN_REPORTS:
                    reported = time.monotonic()
                    tell(_progress(total, reported - started))
        except BaseException:
            # One batch met an error that the others would meet too, so those that have not begun are cancelled.
            pool.shutdown(cancel_futures=True)
            raise
    tell(_progress(total, time.monotonic() - started))
    return total


def event_time_after(now: datetime, stored: str | None) -> str:
    """``now`` as the store's EventTime, or one second after ``stored`` when ``now`` is not later.

    Args:
        now: UTC; cut to whole seconds.
        stored: ``yyyy-MM-ddTHH:mm:ssZ``, with or without milliseconds; None when there is no record.
    """
    moment = now.astimezone(UTC).replace(microsecond=0)
    if stored is not None:
        moment = max(moment, datetime.fromisoformat(stored).replace(microsecond=0) + timedelta(seconds=1))
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _write_changes(store: FeatureStore, batch: list[Record], now: Callable[[], datetime]) -> IngestionResult:
    stored = store.read([record[store.record_id] for record in batch])
    result, changed = IngestionResult(records=len(batch)), []
    for record in batch:
        known = stored.get(record[store.record_id], {})
        if known.get(AS_OF, "") > record[AS_OF]:
            result.newer += 1
        elif _compared(known) == _compared(record):
            result.unchanged += 1
        else:
            changed.append({**record, EVENT_TIME: event_time_after(now(), known.get(EVENT_TIME))})
    result.failed = store.write(changed, offline_only=False)
    result.written = len(changed) - len(result.failed)
    return result


def _write_history(store: FeatureStore, batch: list[Record]) -> IngestionResult:
    failed = store.write([{**record, EVENT_TIME: record[AS_OF]} for record in batch], offline_only=True)
    return IngestionResult(records=len(batch), written=len(batch) - len(failed), failed=failed)


def _compared(record: Mapping[str, str]) -> Record:
    return {name: value for name, value in record.items() if name not in _NOT_COMPARED}


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(islice(iterator, BATCH_SIZE)):
        yield batch


def _progress(total: IngestionResult, seconds: float) -> str:
    rate = total.records / seconds if seconds else 0.0
    return f"{total.records} records in {seconds:.1f} s ({rate:.0f}/s): " + (
        ", ".join(f"{count} {name}" for name, count in total.counts().items() if name != "records")
    )
