"""Times in every physical form: each value is read, costs its row, or is refused with what to write instead."""

from __future__ import annotations

import json
import struct
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tenant_experience.intake._parquet_times import with_convertible_times
from tenant_experience.intake.formats import RawFile
from tests.support.places import USE_CASE_FOLDER
from tests.support.raw_reading import GOOD, HEADER, Read

GOOD_TIME = datetime(2026, 1, 2, 3, 4, 5, 678_000)
EPOCH = datetime(1970, 1, 1)
SECONDS = (GOOD_TIME - EPOCH) / timedelta(seconds=1)
BY_SECONDS, BY_MILLISECONDS = (
    "to_timestamp(CAST(resolved_at AS DOUBLE))",
    "to_timestamp(CAST(resolved_at AS DOUBLE) / 1000)",
)


def record(place: int, **columns: object) -> dict[str, object]:
    return dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {"event_id": f"E{place:02d}"} | columns


def write_parquet(folder: Path, times: pa.Array, **options: object) -> Path:
    folder.mkdir()
    rows = [record(place) for place in range(len(times))]
    table = pa.Table.from_pylist(rows)
    table = table.set_column(table.column_names.index("resolved_at"), "resolved_at", times)
    pq.write_table(table, folder / "e.parquet", **options)
    return folder


def write_json(folder: Path, values: list[object]) -> Path:
    folder.mkdir()
    lines = [json.dumps(record(place, resolved_at=value)) + "\n" for place, value in enumerate(values)]
    (folder / "e.jsonl").write_text("".join(lines))
    return folder


def assert_only_the_first_is_read(read: Read, others: int) -> None:
    assert [(event["event_id"], event["resolved_at"]) for event in read.events] == [("E00", GOOD_TIME)]
    assert read.reasons == [("unreadable_time", "resolved_at", place + 2) for place in range(others)]


def int96(day: int, nanoseconds: int) -> bytes:
    """A time as Hive, Impala and Spark once wrote it: nanoseconds within a day, and the number of the Julian day."""
    return struct.pack("<qi", nanoseconds, day)


IMPOSSIBLE_INT96 = [
    *(bytes(12), b"\xff" * 12, int96(2**31 - 1, 0), int96(-(2**31), 0), int96(2_461_044, 2**63 - 1)),
    *(int96(2_461_044, -(2**63)), int96(2_461_044 + 213_503, 0), int96(2_461_044 - 213_503, 0)),
    *(int96(2_342_000, 0), int96(2_600_000, 0)),
]


@pytest.mark.parametrize("dictionary", [True, False])
def test_an_impossible_time_of_96_bits_costs_its_row(tmp_path: Path, dictionary: bool):
    markers = [datetime(2026, 1, 3, 4, 5, second) for second, _ in enumerate(IMPOSSIBLE_INT96)]
    times = pa.array([GOOD_TIME, *markers], pa.timestamp("us"))
    options = {"use_deprecated_int96_timestamps": True, "compression": "none", "use_dictionary": dictionary}
    path = write_parquet(tmp_path / "raw", times, **options) / "e.parquet"
    assert pq.ParquetFile(path).schema.column(HEADER.split(",").index("resolved_at")).physical_type == "INT96"
    assert [event["resolved_at"] for event in Read(tmp_path / "raw").events] == [GOOD_TIME, *markers]
    content = path.read_bytes()
    for marker, value in zip(markers, IMPOSSIBLE_INT96, strict=True):
        day = marker.replace(hour=0, minute=0, second=0)
        written = int96(2_440_588 + (day - EPOCH).days, (marker - day) // timedelta(microseconds=1) * 1_000)
        assert content.count(written) == 1
        content = content.replace(written, value)
    path.write_bytes(content)
    assert_only_the_first_is_read(Read(tmp_path / "raw"), len(markers))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_time_of_96_bits_is_read_from_every_unit(tmp_path: Path, unit: str):
    time = GOOD_TIME.replace(microsecond=0)
    times = pa.array([time, None], pa.timestamp(unit))
    raw = write_parquet(tmp_path / "raw", times, use_deprecated_int96_timestamps=True)
    assert [event["resolved_at"] for event in Read(raw).events] == [time, None]


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("column", ["resolved_at", "opened_at"])
def test_the_least_and_the_greatest_time_of_every_unit_cost_their_rows(
    tmp_path: Path, unit: str, zone: str | None, column: str
) -> None:
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    most = 2**63 - 1 if unit != "s" else (2**63 - 1) // 1_000  # Parquet has no seconds: Arrow writes milliseconds
    years = [second * scale for second in (-62_135_596_800, 253_402_300_799, -9_000_000_000, 9_000_000_000)]
    extreme = [-most - 1, -most, -most + 1, most - 1, most, *(value for value in years if abs(value) <= most)]
    if unit == "s":
        extreme.remove(-most - 1)
    good = int(SECONDS * 1_000) * scale // 1_000
    times = pa.array([good, *extreme], pa.int64()).cast(pa.timestamp(unit, zone))
    rows = pa.Table.from_pylist([record(place) for place in range(len(times))])
    rows = rows.set_column(rows.column_names.index(column), column, times)
    (tmp_path / "raw").mkdir()
    pq.write_table(rows, tmp_path / "raw/e.parquet", version="2.6")
    read = Read(tmp_path / "raw")
    assert [event[column] for event in read.events] == [GOOD_TIME.replace(microsecond=678_000 * (unit != "s"))]
    assert read.reasons == [("unreadable_time", column, place + 2) for place in range(len(extreme))]


@pytest.mark.parametrize(("kind", "most"), [(pa.date32(), 2**31 - 1), (pa.date64(), 2**31 * 86_400_000 - 86_400_000)])
def test_days_far_out_cost_their_rows(tmp_path: Path, kind: pa.DataType, most: int) -> None:
    day = 1 if kind == pa.date32() else 86_400_000
    extreme = [-most, most, -(719_162 * day), 2_932_896 * day, -99_000 * day, 110_000 * day]
    good = (GOOD_TIME - EPOCH).days * day
    integers = pa.array([good, *extreme], pa.int64()).cast(pa.int32() if day == 1 else pa.int64())
    read = Read(write_parquet(tmp_path / "raw", integers.view(kind)))
    assert [event["resolved_at"] for event in read.events] == [datetime(2026, 1, 2)]
    assert read.reasons == [("unreadable_time", "resolved_at", place + 2) for place in range(len(extreme))]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_an_impossible_time_beside_other_faults_and_in_an_expression_is_no_internal_error(
    tmp_path: Path, unit: str
) -> None:
    """The quarantine keeps the values of a refused row as text."""
    use_case = use_case_with(tmp_path, "coalesce(resolved_at, opened_at)", "UTC")
    times = pa.array([-(2**63), 2**63 - 1], pa.int64()).cast(pa.timestamp(unit))
    rows = pa.Table.from_pylist([record(0, channel="fax"), record(1)])
    for column in ("resolved_at", "opened_at"):
        rows = rows.set_column(rows.column_names.index(column), column, times)
    (tmp_path / "raw").mkdir()
    pq.write_table(rows, tmp_path / "raw/e.parquet")
    read = Read(tmp_path / "raw", use_case)
    assert (read.events, len(read.quarantine)) == ([], 2)


def test_a_time_that_is_replaced_can_be_written_as_text(tmp_path: Path) -> None:
    """DuckDB makes an internal error of some numbers, after which its session cannot be used."""
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"t": pa.array([2**62, -(2**62)], pa.int64()).cast(pa.timestamp("ms"))}), path)
    written = with_convertible_times(RawFile(path, path.name, "parquet", ".parquet", 0), tmp_path / "w.parquet")
    assert written is not None
    with duckdb.connect() as connection:
        query = "SELECT CAST(t AS VARCHAR) FROM read_parquet($1)"
        texts = connection.execute(query, [str(written.path)]).fetchall()
    assert set(texts) == {("0001-01-01 00:00:00",)}


NUMBERS = [pa.int64(), pa.uint64(), pa.float64(), pa.decimal128(24, 3)]
IMPOSSIBLE = [5, 2**53, 10**17]


def numbers(kind: pa.DataType, *values: float) -> pa.Array:
    if pa.types.is_decimal(kind):
        return pa.array([Decimal(str(value)) for value in values], kind)
    return pa.array([float(value) if pa.types.is_floating(kind) else int(value) for value in values], kind)


@pytest.mark.parametrize("kind", [*NUMBERS, pa.int32(), pa.uint32(), pa.float32()])
@pytest.mark.parametrize("scale", [1, 1_000])
@pytest.mark.parametrize("value", [SECONDS, 5])
def test_numbers_are_no_times_and_the_refusal_says_what_to_write(
    tmp_path: Path, kind: pa.DataType, scale: int, value: float
):
    if pa.types.is_integer(kind) and kind.bit_width == 32 and value * scale > 2**31:
        scale = 1
    raw = write_parquet(tmp_path / "raw", numbers(kind, value * scale, value * scale))
    with pytest.raises(UserError) as caught:
        Read(raw)
    assert caught.value.code == "wrong_column_type"
    assert caught.value.message.startswith("e.parquet: column 'resolved_at', read as resolved_at, is ")
    assert f"seconds since 1970 are read when the source says resolved_at: {BY_SECONDS}" in caught.value.message
    assert caught.value.message.endswith(f"milliseconds with resolved_at: {BY_MILLISECONDS}")


def test_only_numbers_are_told_how_to_be_times(tmp_path: Path):
    with pytest.raises(UserError) as caught:
        Read(write_parquet(tmp_path / "raw", pa.array([True])))
    assert caught.value.message.endswith("text such as 2026-11-20T09:30:00Z")


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_that_are_all_missing_are_missing_times(tmp_path: Path, kind: pa.DataType):
    read = Read(write_parquet(tmp_path / "raw", pa.array([None, None], kind)))
    assert [event["resolved_at"] for event in read.events] == [None, None]


NO_TIMES = [SECONDS, SECONDS * 1_000, 0, -1, 2**63, 1e300, 20260102, 2026, True, [1], {"$date": "2026-01-02T00:00:00Z"}]
NO_TIMES += [
    "1767312000",
    "1767312000000",
    "1e9",
    "20260102",
    "2026",
    "20260102T101010Z",
    "2026-01",
    "epoch",
    "infinity",
]


def test_a_json_value_that_is_no_time_costs_its_row(tmp_path: Path):
    raw = write_json(tmp_path / "raw", [f"{GOOD_TIME.isoformat()}Z", *NO_TIMES])
    assert_only_the_first_is_read(Read(raw), len(NO_TIMES))


@pytest.fixture(params=["UTC", "Europe/Berlin"])
def zone(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def use_case_with(folder: Path, expression: str, zone: str) -> Path:
    copy = folder / USE_CASE_FOLDER.name
    (copy / "sources").mkdir(parents=True)
    (copy / "use_case.yaml").write_text((USE_CASE_FOLDER / "use_case.yaml").read_text())
    source = (USE_CASE_FOLDER / "sources/events.yaml").read_text().replace("time_zone: UTC", f"time_zone: {zone}")
    mapped = source.replace("resolved_at: resolved_at", f"resolved_at: {expression}")
    (copy / "sources/events.yaml").write_text(mapped)
    return copy


@pytest.mark.parametrize(("expression", "scale"), [(BY_SECONDS, 1), (BY_MILLISECONDS, 1_000)])
def test_numbers_are_times_by_the_expression_that_the_refusal_names(
    tmp_path: Path, zone: str, expression: str, scale: int
):
    use_case = use_case_with(tmp_path, expression, zone)
    # Of 1970: resolved before it was opened.
    refused = {"unreadable_time", "unreadable_value", "negative_duration"}
    for place, kind in enumerate([*NUMBERS, None]):
        raw, values = tmp_path / f"raw{place}", [int(SECONDS) * scale, *IMPOSSIBLE]
        if kind is None:
            write_json(raw, list(values))
        else:
            write_parquet(raw, numbers(kind, *values))
        read = Read(raw, use_case)
        assert [event["resolved_at"] for event in read.events] == [GOOD_TIME.replace(microsecond=0)], kind
        assert [where for _, *where in read.reasons] == [["resolved_at", line] for line in (2, 3, 4)], kind
        assert {reason for reason, *_ in read.reasons} <= refused, kind


@pytest.mark.parametrize(("unit", "value"), [("s", 2**53), ("ms", 2**62)])
@pytest.mark.parametrize("column", ["tenant_id", "answered"])
def test_an_impossible_time_in_a_column_that_holds_no_times_is_a_wrong_type(
    tmp_path: Path, unit: str, value: int, column: str
) -> None:
    """Whether the column has values must be asked before anything is known of its times."""
    rows = pa.Table.from_pylist([record(0), record(1)])
    times = pa.array([value, value]).cast(pa.timestamp(unit))
    rows = rows.set_column(rows.column_names.index(column), column, times)
    pq.write_table(rows, tmp_path / "e.parquet")
    with pytest.raises(UserError, match=f"column '{column}', read as {column}, is TIMESTAMP") as refusal:
        Read(tmp_path)
    assert refusal.value.code == "wrong_column_type"


def test_a_damaged_page_of_a_column_of_the_wrong_type_is_damage(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([record(place) for place in range(300)])
    rows = rows.set_column(rows.column_names.index("answered"), "answered", pa.array(range(300)))
    path = tmp_path / "e.parquet"
    pq.write_table(rows, path, use_dictionary=False, compression="none", write_statistics=False)
    content = bytearray(path.read_bytes())
    footer = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    content[4:footer] = b"\xff" * (footer - 4)
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        Read(tmp_path)
    assert refusal.value.code == "corrupt_file"


def test_a_column_whose_name_is_no_unicode_is_damage_or_passed_over(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([record(0)]).append_column("QQQQ", pa.array(["x"]))
    path = tmp_path / "e.parquet"
    pq.write_table(rows, path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"QQQQ", b"Q\xffQQ"))
    try:
        assert len(Read(tmp_path).events) == 1
    except UserError as refusal:
        assert refusal.code == "corrupt_file"  # noqa: PT017 - one of two right answers, by the version of the reader


IMPOSSIBLE_OFFSETS = [
    "+14:01",
    "+14:30",
    "+15:00",
    "+15",
    "+1530",
    "-12:01",
    "-13:00",
    "-14",
    "+99:99",
    "+05:60",
    "+23:59",
]
OFFSETS = {
    "+14:00": -14,
    "+14": -14,
    "-12:00": 12,
    "-1200": 12,
    "+05:30": -5.5,
    "+0530": -5.5,
    "+01": -1,
    "-03:30": 3.5,
}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("time_format", [None, "%d.%m.%Y %H:%M:%S%z", "%z %Y-%m-%dT%H.%M.%S"])
def test_an_offset_that_no_clock_has_costs_its_row(tmp_path: Path, kind: str, time_format: str | None) -> None:
    time = GOOD_TIME.replace(microsecond=0)
    text = time.strftime((time_format or "%Y-%m-%dT%H:%M:%S%z").replace("%z", "OFFSET"))
    values = [text.replace("OFFSET", offset) for offset in (*OFFSETS, *IMPOSSIBLE_OFFSETS)]
    raw = tmp_path / "raw"
    rows = [record(place, opened_at="2026-01-01T00:00:00Z", resolved_at=value) for place, value in enumerate(values)]
    if kind == "csv":
        raw.mkdir()
        lines = [HEADER, *(",".join(map(str, row.values())) for row in rows)]
        (raw / "e.csv").write_text("\n".join(lines) + "\n")
    elif kind == "jsonl":
        write_json(raw, list(values))
    else:
        write_parquet(raw, pa.array(values))
    use_case = use_case_with(tmp_path, "resolved_at", "UTC")
    if time_format is not None:
        source = use_case / "sources/events.yaml"
        formats = f"time_formats: ['{time_format}', '%Y-%m-%dT%H:%M:%SZ']\n"
        source.write_text(source.read_text().replace("time_formats: []\n", "") + formats)
    read = Read(raw, use_case)
    found = [(event["resolved_at"] - time) / timedelta(hours=1) for event in read.events]
    assert found == list(OFFSETS.values())
    first = len(OFFSETS) + (2 if kind == "csv" else 1)
    assert read.reasons == [
        ("unreadable_time", "resolved_at", first + place) for place in range(len(IMPOSSIBLE_OFFSETS))
    ]


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04+15:00", "2026-01-02T03:04:05.678+15:00", "2026-01-02 03:04:05-12:30:00"]
)
def test_an_offset_that_no_clock_has_is_seen_behind_every_way_to_write_a_time(tmp_path: Path, text: str) -> None:
    assert_only_the_first_is_read(Read(write_json(tmp_path / "raw", [f"{GOOD_TIME.isoformat()}+00:00", text])), 1)
