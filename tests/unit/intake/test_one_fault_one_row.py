"""A fault in one row costs at most that row, and what a standard allows is read."""

import gzip
import json
import struct
import zlib
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tests.support.parameters import mostly_slow
from tests.support.places import USE_CASE_FOLDER
from tests.support.raw_reading import GOOD, HEADER, Read, write_csv


def row(**columns: str) -> str:
    return ",".join((dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | columns).values())


def record(**columns: object) -> dict[str, object]:
    return dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | columns


def packed(content: bytes, flags: int = 0, extra: bytes = b"", checksum: int | None = None) -> bytes:
    """A gzip member as RFC 1952 describes it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    header = b"\x1f\x8b\x08" + bytes([flags]) + b"\0" * 4 + b"\0\3" + extra
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF) if flags & 2 else b""
    crc = zlib.crc32(content) if checksum is None else checksum
    return header + deflate.compress(content) + deflate.flush() + struct.pack("<II", crc, len(content))


CSV = f"{HEADER}\n{GOOD}\n".encode()


@pytest.mark.parametrize(
    ("content", "events"),
    [
        (packed(CSV, 16, b"a comment\0"), 1),
        (packed(CSV, 4, b"\2\0ab"), 1),
        (packed(CSV, 8, b"name\0"), 1),
        (packed(CSV, 2), 1),
        (packed(CSV, 1), 1),
        (packed(CSV, 31, b"\2\0abname\0comment\0"), 1),
        (packed(CSV) + packed(row(event_id="E2").encode() + b"\n", 16, b"c\0"), 2),
        (packed(CSV) + packed(b""), 1),
        (packed(CSV) + b"\0" * 512, 1),
        (packed(CSV) + b"\0", 1),
    ],
)
def test_what_gzip_accepts_is_read(raw: Path, content: bytes, events: int):
    assert gzip.decompress(content).startswith(CSV)
    (raw / "e.csv.gz").write_bytes(content)
    assert len(Read(raw).events) == events


@pytest.mark.parametrize("flags", [0, 16])
def test_a_wrong_checksum_is_refused(raw: Path, flags: int):
    (raw / "e.csv.gz").write_bytes(packed(CSV, flags, b"c\0" if flags else b"", checksum=1))
    with pytest.raises(UserError) as caught:
        Read(raw)
    assert caught.value.code == "corrupt_file"


@pytest.mark.parametrize(
    ("damage", "said"), [("checksum", "CRC"), ("length", "length"), ("member", "CRC"), ("end", "")]
)
@pytest.mark.parametrize("rows", [25, 2_500])
def test_a_damaged_gzip_file_is_refused_whatever_its_size(raw: Path, damage: str, said: str, rows: int):
    # Stored, not compressed: of 2,500 rows, the file is longer than 8 MiB, up to which it once was verified.
    noise = "x" * 4_000
    lines = [HEADER + ",note", *(f"{row(event_id=f'E{place}')},{noise}" for place in range(rows))]
    stored = bytearray(gzip.compress("\n".join(lines).encode(), compresslevel=0))
    assert (len(stored) > 8 << 20) == (rows == 2_500)
    if damage == "checksum":
        stored[-8] ^= 1
    elif damage == "length":
        stored[-1] ^= 1
    elif damage == "member":
        stored += packed(row(event_id="E").encode(), checksum=1)
    else:
        stored += b"rubbish"
    (raw / "e.csv.gz").write_bytes(stored)
    with pytest.raises(UserError, match=rf"e\.csv\.gz.*{said}") as caught:
        Read(raw)
    assert caught.value.code == "corrupt_file"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("extension", ["csv", "csv.gz"])
@pytest.mark.parametrize(("column", "reasons"), [("tenant_id", [("malformed_id", "tenant_id", 701)]), ("note", [])])
def test_a_lone_carriage_return_costs_at_most_its_row(raw: Path, end: str, extension: str, column: str, reasons: list):
    lines = [f"{row(event_id=f'E{place}')},fine" for place in range(1_000)]
    torn = row(event_id="E699", tenant_id="T\r1" if column == "tenant_id" else "T1")
    lines[699] = f"{torn},two{chr(13) if column == 'note' else ' '}parts"
    content = (end.join([f"{HEADER},note", *lines]) + end).encode()
    (raw / f"e.{extension}").write_bytes(gzip.compress(content) if extension == "csv.gz" else content)
    read = Read(raw)
    assert (read.reasons, len(read.events)) == (reasons, 1_000 - len(reasons))


def test_a_carriage_return_in_json_is_space(raw: Path):
    lines = [json.dumps(record(event_id=f"E{place}")) for place in range(3)]
    (raw / "e.jsonl").write_bytes("\n".join([lines[0], lines[1].replace(", ", ",\r", 1), lines[2], ""]).encode())
    assert len(Read(raw).events) == 3


def test_a_header_with_a_line_break_is_read_and_lines_stay_right(raw: Path):
    header = HEADER.replace("tenant_id", 'tenant_id,"Unit\nno. ""x"""')
    lines = [row(event_id=f"E{place}").replace(",T1,", ",T1,7,") for place in range(4)]
    lines[2] = lines[2].replace("ticket", "fax")
    (raw / "e.csv").write_text("\n".join([header, *lines, "torn", ""]))
    read = Read(raw)
    assert len(read.events) == 3
    assert read.reasons == [("unknown_channel", "channel", 5), ("ragged_row", "tenant_id", 7)]


def test_a_key_first_seen_late_is_read(raw: Path):
    lines = [{name: value for name, value in record(event_id=f"E{place}").items() if value} for place in range(1_001)]
    lines[-1] |= {"Resolved_At": "2026-01-02T00:00:00Z"}
    (raw / "e.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [event["event_id"] for event in Read(raw).events if event["resolved_at"]] == ["E1000"]


def test_open_tickets_need_no_key_for_what_has_not_happened(raw: Path):
    (raw / "e.jsonl").write_text(json.dumps({name: value for name, value in record().items() if value}))
    (event,) = Read(raw).events
    assert (event["first_response_at"], event["resolved_at"]) == (None, None)


def test_a_key_that_every_row_needs_is_missed_by_name(raw: Path):
    (raw / "e.jsonl").write_text(json.dumps({name: value for name, value in record().items() if name != "channel"}))
    with pytest.raises(UserError, match="no column 'channel'"):
        Read(raw)


@pytest.mark.parametrize(
    ("kind", "value"),
    mostly_slow(
        [
            *((pa.timestamp(unit), bad) for unit in ("us", "ns") for bad in (-(2**63), 2**63 - 1, -(2**63) + 1)),
            *((pa.timestamp(unit, "UTC"), -(2**63)) for unit in ("us", "ns")),
            *((pa.timestamp("s"), bad) for bad in (2**53, -(2**53))),
            *((pa.timestamp("ms"), bad) for bad in (-(2**63), 2**63 - 1, 10**16, -(10**16))),
            *((pa.timestamp("ms", zone), 10**16) for zone in ("UTC", "Europe/Berlin")),
            *((pa.date32(), bad) for bad in (-(2**31), 2**31 - 1)),
        ],
        kept=(0, 6, 8, 12, 14, 16),
    ),
)
def test_an_impossible_time_costs_its_row(raw: Path, kind: pa.DataType, value: int):
    good = pa.array([datetime(2026, 1, 2)], pa.timestamp("us")).cast(kind)
    bad = pa.array([value], pa.int32() if pa.types.is_date(kind) else pa.int64()).cast(kind)
    times = pa.concat_arrays([good, bad])
    columns = {name: pa.array([each] * 2) for name, each in record().items()}
    pq.write_table(pa.table(columns | {"event_id": pa.array(["E1", "E2"]), "resolved_at": times}), raw / "e.parquet")
    read = Read(raw)
    assert [event["event_id"] for event in read.events] == ["E1"]
    assert read.reasons == [("unreadable_time", "resolved_at", 2)]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("resolved_at", pa.array([1_700_000_000])),
        ("resolved_at", pa.array([1.5])),
        ("resolved_at", pa.array([5], pa.duration("ns"))),
        ("resolved_at", pa.array([5], pa.time64("us"))),
        ("answered", pa.array([datetime(2026, 1, 1)])),
        ("answered", pa.array([5], pa.duration("s"))),
        ("tenant_id", pa.array([True])),
        ("tenant_id", pa.array([datetime(2026, 1, 1)])),
        ("tenant_id", pa.array([5], pa.duration("s"))),
    ],
)
def test_a_physical_type_is_not_taken_for_another_meaning(raw: Path, column: str, values: pa.Array):
    columns = {name: pa.array([each]) for name, each in record().items()} | {column: values}
    pq.write_table(pa.table(columns), raw / "e.parquet")
    with pytest.raises(UserError, match=f"'{column}', read as {column}, is ") as caught:
        Read(raw)
    assert caught.value.code == "wrong_column_type"


@pytest.mark.parametrize(
    "zone", mostly_slow(["BST", "GMT", "EST5EDT", "AST", "EDT", "CET", "NZ", "PST"], kept=range(3))
)
def test_an_abbreviation_of_a_zone_is_not_read(raw: Path, zone: str):
    read = Read(write_csv(raw, row(opened_at=f"2026-07-03 09:00:00 {zone}")))
    assert read.reasons == [("unreadable_time", "opened_at", 2)]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        *(("2026-07-03 09:00:00Z", 9), ("2026-07-03 09:00:00 UTC", 9), ("2026-07-03T09:00:00+02:00", 7)),
        *(("2026-07-03 09:00:00 Europe/London", 8), ("2026-07-03 09:00:00-0330", 12), ("2026-07-03 09:00", 9)),
    ],
)
def test_a_zone_with_one_meaning_is_read(raw: Path, text: str, hour: int):
    (event,) = Read(write_csv(raw, row(opened_at=text))).events
    assert event["opened_at"].hour == hour


@pytest.mark.parametrize(
    ("zone", "opened", "answered", "minutes"),
    mostly_slow(
        [
            ("Australia/Lord_Howe", "2026-04-05 01:50", "2026-04-05 01:40", 20),
            ("Australia/Lord_Howe", "2026-04-05 01:50", "2026-04-05 01:10", None),
            ("Australia/Lord_Howe", "2026-04-04 01:50", "2026-04-04 01:40", None),
            ("Asia/Pyongyang", "2015-08-14 23:50", "2015-08-14 23:40", 20),
            ("America/Caracas", "2007-12-09 02:50", "2007-12-09 02:40", 20),
            ("Antarctica/Troll", "2026-10-25 02:50", "2026-10-25 01:10", 20),
            ("Australia/Sydney", "2026-04-05 02:50", "2026-04-05 02:10", 20),
            ("America/Santiago", "2026-04-04 23:50", "2026-04-04 23:10", 20),
            ("Europe/Moscow", "2014-10-26 01:50", "2014-10-26 01:10", 20),
            ("Europe/Berlin", "2026-10-25 02:50", "2026-10-25 02:10", 20),
            ("Europe/Berlin", "2026-10-25 02:50", "2026-10-25 02:55", 5),
            ("Europe/Berlin", "2026-10-25 01:50", "2026-10-25 02:10", 80),
            ("Europe/Berlin", "2026-03-29 01:50", "2026-03-29 03:10", 20),
            ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 03:40", 10),
            ("Europe/Berlin", "2026-10-25 02:50+01:00", "2026-10-25 02:10+01:00", None),
            ("Europe/Berlin", "2026-10-25 02:50", "2026-10-25 01:40", None),
            ("Europe/Berlin", "2026-10-24 02:50", "2026-10-24 02:10", None),
        ],
        kept=(0, 1, 9, 10, 12, 14),
    ),
)
def test_a_clock_that_goes_back_makes_no_duration_negative(
    tmp_path: Path, raw: Path, zone: str, opened: str, answered: str, minutes: int | None
):
    folder = tmp_path / "tenant_experience"
    (folder / "sources").mkdir(parents=True)
    for name in ("use_case.yaml", "features.sql"):
        (folder / name).write_text((USE_CASE_FOLDER / name).read_text())
    source = (USE_CASE_FOLDER / "sources/events.yaml").read_text()
    (folder / "sources/events.yaml").write_text(source.replace("time_zone: UTC", f"time_zone: {zone}"))
    read = Read(write_csv(raw, row(opened_at=opened, first_response_at=answered)), folder)
    if minutes is None:
        assert read.reasons == [("negative_duration", "first_response_at", 2)]
    else:
        (event,) = read.events
        assert (event["first_response_at"] - event["opened_at"]).total_seconds() == minutes * 60


@pytest.mark.parametrize("tenant", ["Ren\u00e9e", "Rene\u0301e", " Ren\u00e9e\u00a0"])
@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_ids_that_look_alike_are_one_tenant_in_every_format(raw: Path, extension: str, tenant: str):
    columns = record(tenant_id=tenant)
    if extension == "csv":
        write_csv(raw, row(tenant_id=tenant))
    elif extension == "jsonl":
        (raw / "e.jsonl").write_text(json.dumps(columns))
    else:
        pq.write_table(pa.Table.from_pylist([columns]), raw / "e.parquet")
    assert [event["tenant_id"] for event in Read(raw).events] == ["Ren\u00e9e"]


def test_a_zero_byte_in_a_value_costs_its_row_only(raw: Path):
    lines = [row(event_id=f"E{number}", tenant_id="T\x001" if number == 1 else "T1") for number in range(4)]
    read = Read(write_csv(raw, *lines))
    assert read.reasons == [("malformed_id", "tenant_id", 3)]
    assert [event["event_id"] for event in read.events] == ["E0", "E2", "E3"]


def test_a_zero_byte_in_a_line_of_json_costs_its_row_only(raw: Path):
    lines = [json.dumps(record(event_id=f"E{number}")) for number in range(3)]
    (raw / "e.jsonl").write_text("\n".join([lines[0], lines[1].replace("T1", "T\x001"), lines[2]]))
    read = Read(raw)
    assert read.reasons == [("not_a_json_object", "", 2)]
    assert [event["event_id"] for event in read.events] == ["E0", "E2"]


GOOD_LINE = json.dumps(record(event_id="E0"))


@pytest.mark.parametrize(
    "second",
    ['"tenant_id": "T2"', '"tenant_id": "T1"', '"Tenant_ID": "T2"', '"\\u0074enant_id": "T2"', '"sentiment": null'],
)
def test_a_key_that_stands_twice_in_a_line_costs_its_row(raw: Path, second: str):
    # Behind the lines that are looked at beforehand, where a key in two cases would refuse the file.
    lines = [json.dumps(record(event_id=f"F{place}")) for place in range(1_000)]
    twice = json.dumps(record(event_id="E1"))[:-1] + f", {second}}}"
    (raw / "e.jsonl").write_text("\n".join([*lines, twice, GOOD_LINE]) + "\n")
    read = Read(raw)
    assert read.reasons == [("duplicate_key", "", 1_001)]
    assert len(read.events) == 1_001


def test_a_key_that_is_not_read_may_stand_twice(raw: Path):
    (raw / "e.jsonl").write_text(GOOD_LINE[:-1] + ', "note": 1, "note": 2, "more": {"tenant_id": "x"}}\n')
    read = Read(raw)
    assert (read.reasons, [event["tenant_id"] for event in read.events]) == ([], ["T1"])


@pytest.mark.parametrize("column", ["event_id", "tenant_id"])
@pytest.mark.parametrize(
    "value", mostly_slow([True, [True], {"a": {}}, {}, False, [None, 1], [], [{"a": 1}]], kept=(0, 1, 2, 3))
)
def test_a_json_value_that_is_no_text_or_number_is_no_id(raw: Path, column: str, value: object):
    (raw / "e.jsonl").write_text(GOOD_LINE + "\n" + json.dumps(record(**{column: value})) + "\n")
    assert Read(raw).reasons == [("malformed_id", column, 2)]


@pytest.mark.parametrize("flag", ["true", "False", "TRUE"])
def test_a_flag_is_no_id_in_a_csv_file_either(raw: Path, flag: str):
    (raw / "e.csv").write_text("\n".join([HEADER, GOOD, row(event_id="E2", tenant_id=flag)]) + "\n")
    assert Read(raw).reasons == [("malformed_id", "tenant_id", 3)]


@pytest.mark.parametrize(
    "number", mostly_slow(["123.50", "1E5", "123456789012345678901234", "12.10", "-1.0", "123", "0.1000"], range(3))
)
def test_an_id_that_is_a_number_is_the_same_in_json_and_csv(raw: Path, number: str):
    line = GOOD_LINE.replace('"tenant_id": "T1"', f'"more": {{"a": 1.5}}, "tenant_id" : {number}')
    (raw / "a.jsonl").write_text(line + "\n")
    (raw / "b.csv").write_text("\n".join([HEADER, row(event_id="E1", tenant_id=number)]) + "\n")
    [first, second] = Read(raw).events
    assert first["tenant_id"] == second["tenant_id"]
    assert first["tenant_id"] == (number if number != "-1.0" else "-1")
