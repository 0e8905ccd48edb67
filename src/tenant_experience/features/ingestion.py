"""Writes features to the Feature Store: to its offline store at once, and to its online store when they are served.

The offline store is a release's own: it gets every record, with its ``as_of`` as EventTime. Writing it again gives the
same rows, and it never looks later than what is served.

The online store is what clients are answered from. Of a release it gets the records that have changed, compared without
``event_time`` and ``release``: the release of a served record is the one that last changed it. Their EventTime is the
moment when the release began, so that the store itself refuses what an older release writes late. A record that is
served as of a later time is not changed either, whatever the order in which releases arrive, unless an earlier release
is served again. A job that is repeated, or was killed half-way, ends with the same records.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Literal, Protocol

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
Store = Literal["OnlineStore", "OfflineStore"]
logger = logging.getLogger("ingestion")


class FeatureStore(Protocol):
    """One feature group of the store. Absent features are absent keys."""

    @property
    def record_id(self) -> str:
        """The feature that identifies a record."""

    def read(self, ids: Sequence[str]) -> dict[str, Record]:
        """Reads the online records of at most 100 ids; ids without a record are missing from the answer."""

    def write(self, records: Sequence[Record], store: Store) -> dict[str, str]:
        """Writes records to one of the two stores.

        Returns:
            The ids of the records that could not be written, each with the error code of the store.
        """


def keep(
    store: FeatureStore, records: Iterable[Record], *, report: Callable[[str], None] | None = None
) -> IngestionResult:
    """Writes all records to the offline store; what is served does not change.

    Args:
        store: the feature group.
        records: records without ``event_time``, each id once; they are read lazily, a few thousand ahead.
        report: receives the progress every few seconds; None writes it to the log.
    """
    return _in_batches(partial(_keep, store), records, report)


def serve(
    store: FeatureStore,
    records: Iterable[Record],
    *,
    began: datetime,
    again: bool = False,
    report: Callable[[str], None] | None = None,
) -> IngestionResult:
    """Writes the records that are new or have changed to the online store.

    Args:
        store: the feature group.
        records: records without ``event_time``, each id once; they are read lazily, a few thousand ahead.
        began: when the release began, UTC.
        again: whether a roll-back began then: its records take the place of those as of a later time too.
        report: receives the progress every few seconds; None writes it to the log.
    """
    return _in_batches(partial(_serve, store, began, again), records, report)


def _in_batches(
    write: Callable[[list[Record]], IngestionResult],
    records: Iterable[Record],
    report: Callable[[str], None] | None,
) -> IngestionResult:
    tell = report or logger.info
    total, started, reported = IngestionResult(), time.monotonic(), time.monotonic()
    batches = _batches(records)
    with ThreadPoolExecutor(THREADS) as pool:
        pending: set[Future[IngestionResult]] = set()
        try:
            while True:
                for batch in islice(batches, _BATCHES_AHEAD - len(pending)):
                    pending.add(pool.submit(write, batch))
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


def _keep(store: FeatureStore, batch: list[Record]) -> IngestionResult:
    failed = store.write([{**record, EVENT_TIME: record[AS_OF]} for record in batch], "OfflineStore")
    return IngestionResult(records=len(batch), written=len(batch) - len(failed), failed=failed)


def _serve(store: FeatureStore, began: datetime, again: bool, batch: list[Record]) -> IngestionResult:
    event_time = _event_time(began)
    stored = store.read([record[store.record_id] for record in batch])
    result, changed = IngestionResult(records=len(batch)), []
    for record in batch:
        known = stored.get(record[store.record_id], {})
        if _compared(known) == _compared(record):
            result.unchanged += 1
        elif (not again and known.get(AS_OF, "") > record[AS_OF]) or not _is_earlier(known.get(EVENT_TIME), event_time):
            result.newer += 1
        else:
            changed.append({**record, EVENT_TIME: event_time})
    result.failed = store.write(changed, "OnlineStore")
    result.written = len(changed) - len(result.failed)
    return result


def _event_time(began: datetime) -> str:
    """With milliseconds, the most that the store knows: two releases may begin within a second."""
    return began.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_earlier(stored: str | None, event_time: str) -> bool:
    return stored is None or datetime.fromisoformat(stored) < datetime.fromisoformat(event_time)


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
