"""The features of a release as Feature Store records: a text for each name, without nulls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenant_experience.data_layout import SIDE_COLUMNS
from tenant_experience.features.ingestion import AS_OF, EVENT_TIME, RELEASE, Record
from tenant_experience.jobs.instance_resources import InstanceShare
from tenant_experience.use_case.schema import UseCase

_ROWS_AT_ONCE = 10_000


def feature_types(use_case: UseCase) -> dict[str, str]:
    """Feature Store feature -> ``String`` or ``Fractional``; the record identifier and event time come first."""
    texts = (use_case.record_id, EVENT_TIME, use_case.partition_column, "partition_slug", AS_OF, RELEASE, "history")
    numbers = [*(name for name in use_case.features if name not in use_case.categories), *SIDE_COLUMNS]
    return dict.fromkeys((*texts, *use_case.categories), "String") | dict.fromkeys(numbers, "Fractional")


def read_records(path: Path, use_case: UseCase, release: str, share: InstanceShare) -> Iterator[Record]:
    """The rows of ``features.parquet`` that belong to this instance, as records without ``event_time``.

    A number is written as the text from which the same double is read.
    """
    types = feature_types(use_case)
    columns = [name for name in types if name not in (EVENT_TIME, RELEASE)]
    for batch in pq.ParquetFile(path).iter_batches(_ROWS_AT_ONCE, columns=columns):
        own = [share.owns(record_id) for record_id in batch.column(use_case.record_id).to_pylist()]
        for row in batch.filter(pa.array(own)).to_pylist():
            record = {name: _text(value) for name, value in row.items() if value is not None}
            record[RELEASE] = release
            yield record


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return repr(value) if isinstance(value, float) else str(value)
