"""Features of a release as Feature Store records: strings by name, nulls left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from tenant_experience.features import SIDE_COLUMNS
from tenant_experience.ingestion import EVENT_TIME, Record
from tenant_experience.use_case import UseCase

_ROWS_AT_ONCE = 10_000


def feature_types(use_case: UseCase) -> dict[str, str]:
    """Feature Store feature -> type (``String`` or ``Fractional``), the record identifier and event time first."""
    texts = (use_case.record_id, EVENT_TIME, use_case.partition_column, "partition_slug", "as_of", "release", "history")
    numbers = (*use_case.features, *SIDE_COLUMNS)
    return dict.fromkeys(texts, "String") | dict.fromkeys(numbers, "Fractional")


def read_records(path: Path, use_case: UseCase, release: str) -> Iterator[Record]:
    """The rows of ``features.parquet`` as records without ``event_time``.

    Numbers are written so that reading them back gives the same double.
    """
    types = feature_types(use_case)
    columns = [name for name in types if name not in (EVENT_TIME, "release")]
    for batch in pq.ParquetFile(path).iter_batches(_ROWS_AT_ONCE, columns=columns):
        for row in batch.to_pylist():
            record = {name: _text(value) for name, value in row.items() if value is not None}
            record["release"] = release
            yield record


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return repr(value) if isinstance(value, float) else str(value)
