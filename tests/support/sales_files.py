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


# A column of the file, a value that costs its row, the reason, and our column.
FAULTS = [
    ("client", None, "missing_value", "client"),
    ("sold", None, "missing_value", "sold_at"),
    ("sold", "yesterday", "unreadable_time", "sold_at"),
    ("sold", "2027-01-01", "future_time", "sold_at"),
    ("product", None, "missing_value", "product"),
    ("product", "zero\u200bwidth", "malformed_category", "product"),
    ("quantity", None, "missing_value", "quantity"),
    ("quantity", "three", "not_an_integer", "quantity"),
    ("quantity", "2.5", "not_an_integer", "quantity"),
    ("quantity", "99999999999999999999", "not_an_integer", "quantity"),
    ("quantity", "NaN.", "not_an_integer", "quantity"),
    ("quantity", "1001", "out_of_range", "quantity"),
    ("quantity", "-11", "out_of_range", "quantity"),
    ("unit_price", "2,50", "not_a_number", "price"),
    ("unit_price", "€ 3", "not_a_number", "price"),
    ("unit_price", "-0.01", "out_of_range", "price"),
    ("unit_price", "inf", "out_of_range", "price"),
    ("paid", "maybe", "unreadable_flag", "paid"),
    ("paid", "2", "unreadable_flag", "paid"),
    ("due", "31/02/2026", "unreadable_time", "due_at"),
    ("due", "2019-12-31T23:59:59Z", "out_of_range", "due_at"),
    ("due", "2030-01-01T00:00:01Z", "out_of_range", "due_at"),
    ("delivered", "2026-01-02T09:59:59Z", "negative_duration", "delivered_at"),
    ("delivered", "2027-01-01T00:00:00Z", "future_time", "delivered_at"),
    ("order", "letter", "unknown_order", "order"),
]


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
