"""Writes the offline store's Parquet files. An image's interpreter runs it, with the rows on standard input.

Input (JSON): ``types`` feature name -> String | Integral | Fractional, ``written`` Unix seconds, ``files`` a list of
``file`` and ``rows`` (``values``, ``invoked`` Unix seconds, ``deleted``).
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_TYPES = {"String": pa.string(), "Integral": pa.int64(), "Fractional": pa.float64()}
_READ = {"String": str, "Integral": int, "Fractional": float}
_TIME = pa.timestamp("ms", tz="UTC")


def table(types: dict[str, str], rows: list[dict[str, Any]], written: float) -> pa.Table:
    """Rows as the offline store has them: absent features are null."""
    columns = {
        name: pa.array([_value(kind, row["values"].get(name)) for row in rows], _TYPES[kind])
        for name, kind in types.items()
    }
    columns["write_time"] = pa.array([int(written * 1000)] * len(rows), _TIME)
    columns["api_invocation_time"] = pa.array([int(row["invoked"] * 1000) for row in rows], _TIME)
    columns["is_deleted"] = pa.array([row["deleted"] for row in rows], pa.bool_())
    return pa.table(columns)


def _value(kind: str, text: str | None) -> Any:
    return None if text is None else _READ[kind](text)


if __name__ == "__main__":
    given = json.load(sys.stdin)
    for each in given["files"]:
        pq.write_table(table(given["types"], each["rows"], given["written"]), each["file"])
