"""Sales of the use case ``transactions``, in every format."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = (
    *("Invoice", "Client", "Shop", "Sold", "Product", "Quantity", "Unit price", "Paid", "Due", "Delivered", "Order"),
    "Remark",
)
GOOD = dict(
    zip(
        COLUMNS,
        (
            *("N1", "c1", "North", "2026-01-02T10:00:00Z", "Tea, green", "3", "2.50", "true", "2026-02-01"),
            *("2026-01-05 09:00:00+01:00", "WEB SHOP", "said “hello”"),
        ),
        strict=True,
    )
)


def sale(**columns: str | None) -> dict[str, str | None]:
    """A good sale with other values: ``unit_price`` is the column ``Unit price``."""
    return GOOD | {name.replace("_", " ").capitalize(): value for name, value in columns.items()}


def as_csv(sales: Sequence[dict[str, str | None]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(sales)
    return text.getvalue().encode()


def _as_json_lines(sales: Sequence[dict[str, str | None]]) -> bytes:
    """Numbers and flags as JSON has them, wherever they are."""
    lines = []
    for each in sales:
        record: dict[str, object] = dict(each)
        for name in ("Quantity", "Unit price", "Paid"):
            try:
                record[name] = json.loads(str(record[name]), parse_constant=str)
            except ValueError:
                continue
        lines.append(json.dumps(record, ensure_ascii=False))
    return "\n".join(lines).encode()


def _as_parquet(sales: Sequence[dict[str, str | None]]) -> bytes:
    packed = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(sales), pa.schema([(name, pa.string()) for name in COLUMNS])), packed)
    return packed.getvalue()


FORMATS: dict[str, Callable[[Sequence[dict[str, str | None]]], bytes]] = {
    ".csv": as_csv,
    ".csv.gz": lambda sales: gzip.compress(as_csv(sales), mtime=0),
    ".jsonl": _as_json_lines,
    ".parquet": _as_parquet,
}
