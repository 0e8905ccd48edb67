"""Damage to columns and values: what other people's exports hold. Applied before a table is written to any format."""

import io
from collections.abc import Callable
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.valid_inputs import Table, as_arrow

Mutation = Callable[[Table, Random], None]

STRANGE_VALUES = (
    *(
        "",
        " ",
        "null",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "1e308",
        "1e-320",
        "-1",
        "1" * 400,
        "0x1F",
        "true",
        "yes",
        "é",
    ),
    *("0000-00-00", "1899-12-31T00:00:00Z", "9999-12-31T23:59:59Z", "infinity", "-infinity", "epoch", "294247-01-10"),
    *(
        "2026-02-30T00:00:00Z",
        "2026-13-01",
        "1700000000",
        "2026-06-01T00:00:00+99:99",
        "12:00",
        "290309-12-22 (BC) 00:00",
    ),
    *("2026-06-01T25:00:00Z", "2026-06-01 00:00:00 Europe/Berlin", "x" * 129, "\u202eabc", "a/b", "..", "😀"),
    *("'; DROP TABLE staged; --", '"', "\\", "%s%n", "{}", "$1", "line\nbreak", "tab\there", "\x00", "\udcff", "=1+1"),
)
STRANGE_NAMES = (
    *(
        "",
        " ",
        "x",
        "EVENT_ID",
        "Tenant_Id",
        " event_id ",
        "event_id\x00",
        "a.b",
        'quo"te',
        "select",
        "file",
        "broken_rule",
    ),
    *(
        "raw_event_id",
        "newlines",
        "malformed",
        "line",
        "é",
        "x" * 3_000,
        "rowid",
        "*",
        "\udcff",
        "new\nline",
        "\x1b[31m",
    ),
)


def drop_column(table: Table, rng: Random) -> None:
    place = rng.randrange(len(table.columns))
    del table.columns[place]
    for row in table.rows:
        del row[place : place + 1]


def duplicate_column(table: Table, rng: Random) -> None:
    place = rng.randrange(len(table.columns))
    table.columns.append(table.columns[place].upper() if rng.random() < 0.3 else table.columns[place])
    for row in table.rows:
        row.extend(row[place : place + 1])


def rename_column(table: Table, rng: Random) -> None:
    table.columns[rng.randrange(len(table.columns))] = rng.choice(STRANGE_NAMES)


def add_columns(table: Table, rng: Random) -> None:
    names = rng.choices(STRANGE_NAMES, k=rng.choice([1, 3, 400]))
    table.columns[:0] = names
    for row in table.rows:
        row[:0] = ["v"] * len(names)


def shuffle_columns(table: Table, rng: Random) -> None:
    rng.shuffle(table.columns)


def strange_values(table: Table, rng: Random) -> None:
    places = rng.sample(range(len(table.columns)), k=rng.choice([1, 1, 3]) if len(table.columns) > 2 else 1)
    for row in table.rows:
        for place in places:
            if rng.random() < 0.4 and place < len(row):
                row[place] = rng.choice(STRANGE_VALUES)


def one_strange_value(table: Table, rng: Random) -> None:
    place, value = rng.randrange(len(table.columns)), rng.choice(STRANGE_VALUES)
    for row in table.rows:
        if place < len(row):
            row[place] = value


def repeat_rows(table: Table, rng: Random) -> None:
    table.rows.extend(list(row) for row in rng.choices(table.rows or [[]], k=rng.choice([1, 30])))


def same_ids(table: Table, rng: Random) -> None:
    for row in table.rows:
        if row and rng.random() < 0.5:
            row[0] = "same"


def few_rows(table: Table, rng: Random) -> None:
    del table.rows[rng.choice([0, 0, 1, 5]) :]


def many_rows(table: Table, rng: Random) -> None:
    table.rows.extend([f"{place}x", *row[1:]] for place in range(rng.choice([3, 60])) for row in list(table.rows)[:90])


ALL: tuple[Mutation, ...] = (
    *(drop_column, duplicate_column, rename_column, add_columns, shuffle_columns, strange_values, strange_values),
    *(one_strange_value, repeat_rows, same_ids, few_rows, many_rows),
)


def _typed(texts: pa.ChunkedArray, rng: Random) -> pa.Array:
    rows = range(len(texts))
    choices: list[Callable[[], pa.Array]] = [
        lambda: pa.array([[text] for text in texts.to_pylist()]),
        lambda: pa.array([{"a": text} for text in texts.to_pylist()]),
        lambda: pa.array([[("k", text)] for text in texts.to_pylist()], pa.map_(pa.string(), pa.string())),
        lambda: pa.array([b"\xff\x00"] * len(rows), pa.binary()),
        lambda: pa.array(rows, pa.int64()),
        lambda: pa.array([2**64 - 1] * len(rows), pa.uint64()),
        lambda: pa.array([float("nan")] * len(rows)),
        lambda: pa.array([float("inf")] * len(rows), pa.float32()),
        lambda: pa.array([0.5] * len(rows), pa.float16()),
        lambda: pa.array([10**37] * len(rows), pa.decimal128(38, 0)),
        lambda: pa.array([10**70] * len(rows), pa.decimal256(76, 0)),
        lambda: pa.array([2**62] * len(rows), pa.timestamp(rng.choice(["ms", "us", "ns"]), "UTC")),
        lambda: pa.array([-(2**62)] * len(rows), pa.timestamp("us")),
        lambda: pa.array([1_700_000_000_000] * len(rows), pa.timestamp("ms", "Europe/Berlin")),
        lambda: pa.array([2**31 - 1] * len(rows), pa.date32()),
        lambda: pa.array([1] * len(rows), pa.time64("us")),
        lambda: pa.array([7_200 * 10**9] * len(rows), pa.duration("ns")),
        lambda: pa.array([-(2**63)] * len(rows), pa.int64()).cast(pa.timestamp(rng.choice(["us", "ns"]))),
        lambda: pa.array([1.0, 0.0, float("nan"), 0.5] * len(rows))[: len(rows)],
        lambda: pa.array([10**12] * len(rows), pa.decimal128(38, 10)),
        lambda: pa.array([None] * len(rows), pa.null()),
        lambda: pa.array([True, False] * len(rows))[: len(rows)],
        lambda: texts.combine_chunks().dictionary_encode(),
        lambda: texts.cast(pa.large_string()),
    ]
    return rng.choice(choices)()


def otherwise_typed_parquet(table: Table, rng: Random) -> bytes:
    """Parquet with some columns of other types, or of another writer's habits."""
    written = as_arrow(table)
    columns = written.columns
    for place in rng.sample(range(len(columns)), k=min(len(columns), rng.choice([1, 2, 8]))):
        columns[place] = _typed(columns[place], rng)
    packed = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(columns, written.column_names),
        packed,
        compression=rng.choice(["none", "snappy", "zstd", "brotli", "lz4"]),
        row_group_size=rng.choice([1, 10, 1_000]),
        store_schema=rng.random() < 0.5,
    )
    return packed.getvalue()
