"""Events of earlier batches in Spark's tasks: each part is fetched and read, or written and kept, by one task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from tenant_experience.data_layout import ml_root
from tenant_experience.intake.duckdb_session import identifier, open_session
from tenant_experience.intake.kept_events import (
    IS_NEW,
    MONTH,
    KeptEvents,
    damaged_parts,
    fetch_parts,
    kept_rows,
    row_types,
)
from tenant_experience.intake.mapping import RowMapping
from tenant_experience.spark._intake import BATCH_ROWS

WRITTEN = "month INT, part STRING"


@dataclass(frozen=True)
class KeptRows:
    """Everything a task needs to read any part.

    Attributes:
        kept: the parts.
        mapping: says what their rows are.
        schema: of ``staged``.
    """

    kept: KeptEvents
    mapping: RowMapping
    schema: pa.Schema

    def read(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Reads the parts whose numbers are in column ``id``."""
        for batch in batches:
            for number in batch.column("id").to_pylist():
                yield from self._rows(replace(self.kept, parts=(self.kept.parts[number],)))

    def _rows(self, kept: KeptEvents) -> Iterator[pa.RecordBatch]:
        with open_session(*kept.store.folders, threads=1) as (connection, scratch), damaged_parts(kept):
            rows = kept_rows(connection, fetch_parts(kept, scratch), kept, self.mapping)
            for batch in connection.cursor().sql(rows).to_arrow_reader(BATCH_ROWS):
                yield batch.cast(self.schema)


def kept_schema(connection: duckdb.DuckDBPyConnection, mapping: RowMapping) -> pa.Schema:
    """The columns of ``staged`` with kept events. Any connection will do."""
    types = {**row_types(connection, mapping), "file": "INTEGER", "broken_rule": "SMALLINT", IS_NEW: "BOOLEAN"}
    nothing = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in types.items())
    return connection.cursor().sql(f"SELECT {nothing}").to_arrow_table().schema


def write_parts(kept: KeptEvents, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Keeps the rows of some months: all rows of a month come to one task."""
    writers: dict[int, parquet.ParquetWriter] = {}
    ml_root().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="scratch-kept-", dir=ml_root()) as folder:
        try:
            for batch in batches:
                rows = batch.drop_columns([MONTH])
                for month in pc.unique(batch[MONTH]).to_pylist():
                    if month not in writers:
                        path = Path(folder) / f"{month}.parquet"
                        writers[month] = parquet.ParquetWriter(path, rows.schema, compression="zstd")
                    writers[month].write_batch(rows.filter(pc.equal(batch[MONTH], month)))
        finally:
            for writer in writers.values():
                writer.close()
        for month in writers:
            kept.store.put(Path(folder) / f"{month}.parquet", kept.part(month, 0))
            yield pa.RecordBatch.from_pydict(
                {"month": pa.array([month], pa.int32()), "part": pa.array([kept.part(month, 0)])}
            )
