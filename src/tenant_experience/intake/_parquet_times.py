"""Parquet files with time stamps that DuckDB cannot convert: it would give up the whole file for one of them."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tenant_experience.intake.formats import RawFile

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 65_536
# The years 1700 to 2250, in seconds: every other time is refused by the rules, so it need not be kept.
_FIRST, _LAST = -8_520_336_000, 8_835_955_200
_IN_A_SECOND = {"s": 1, "ms": 1_000}
# The year 1, which DuckDB can write as text: of the lowest number it makes an internal error when it is one.
_IMPOSSIBLE = -62_135_596_800_000_000


def with_convertible_times(file: RawFile, path: Path) -> RawFile | None:
    """Writes a file to ``path`` again, with microseconds in place of seconds and milliseconds.

    A time that does not fit into microseconds becomes one that no rule accepts.

    Returns:
        The file as it was written, or None: it has no such times, or it is damaged, which its reader then says. Also
        None where Arrow is not installed, in a function.
    """
    if find_spec("pyarrow") is None:
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file.path) as source:
            schema = source.schema_arrow
            places = [place for place, field in enumerate(schema) if _is_coarse(field.type)]
            if not places:
                return None
            for place in places:
                field = schema.field(place)
                schema = schema.set(place, field.with_type(pa.timestamp("us", field.type.tz)))
            with pq.ParquetWriter(path, schema, compression="snappy") as target:
                for batch in source.iter_batches(_BATCH_ROWS):
                    columns = [
                        _in_microseconds(column) if place in places else column
                        for place, column in enumerate(batch.columns)
                    ]
                    target.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    except (pa.ArrowException, OSError, ValueError):  # a name that is no Unicode is a ValueError
        return None
    return replace(file, path=path)


def _is_coarse(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_timestamp(kind) and kind.unit in _IN_A_SECOND


def _in_microseconds(times: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    in_a_second = _IN_A_SECOND[times.type.unit]
    counts = times.cast(pa.int64())
    is_possible = pc.and_(
        pc.greater_equal(counts, _FIRST * in_a_second),
        pc.less_equal(counts, _LAST * in_a_second),
    )
    # Multiplied only where that cannot overflow; a missing time stays missing.
    microseconds = pc.multiply(pc.if_else(is_possible, counts, 0), 1_000_000 // in_a_second)
    kept = pc.if_else(is_possible, microseconds, pa.scalar(_IMPOSSIBLE, pa.int64()))
    return kept.cast(pa.timestamp("us", times.type.tz))
