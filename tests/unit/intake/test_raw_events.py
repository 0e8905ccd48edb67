"""Reading events: each format, each reason for quarantine with its file and line, and duplicates."""

import gzip
import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tenant_experience.use_case.source import load_source
from tenant_experience.use_case.source_expression import columns_read
from tests.support.places import USE_CASE_FOLDER
from tests.support.raw_reading import GOOD, HEADER, USE_CASE, Read, write_csv


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def row(**columns: str) -> str:
    """A CSV line like GOOD but for these columns."""
    return ",".join((dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | columns).values())


BAD_ROWS = [
    (row(event_id=""), "missing_value", "event_id"),
    (row(tenant_id="  "), "missing_value", "tenant_id"),
    (row(event_id="E\x1b[31m"), "malformed_id", "event_id"),
    (row(event_id="E" * 129), "malformed_id", "event_id"),
    (row(tenant_id="../T1"), "malformed_id", "tenant_id"),
    (row(tenant_id=".T1"), "malformed_id", "tenant_id"),
    (row(tenant_id="a\\b"), "malformed_id", "tenant_id"),
    (row(tenant_id="T" * 129), "malformed_id", "tenant_id"),
    (row(portfolio_id="p" * 129), "malformed_portfolio", "portfolio_id"),
    (row(portfolio_id="a\x07b"), "malformed_portfolio", "portfolio_id"),
    (row(opened_at=""), "missing_value", "opened_at"),
    (row(opened_at="31/02/2026"), "unreadable_time", "opened_at"),
    (row(opened_at="infinity"), "unreadable_time", "opened_at"),
    (row(resolved_at="soon"), "unreadable_time", "resolved_at"),
    (row(first_response_at="0001-01-01"), "unreadable_time", "first_response_at"),
    (row(channel=""), "missing_value", "channel"),
    (row(channel="fax"), "unknown_channel", "channel"),
    (row(direction="sideways"), "unknown_direction", "direction"),
    (row(channel="call"), "missing_value", "direction"),
    (row(sentiment="meh"), "unknown_sentiment", "sentiment"),
    (row(answered="perhaps"), "unreadable_flag", "answered"),
    (row(escalated="2"), "unreadable_flag", "escalated"),
    (row(first_response_at="2026-01-01T09:59:59Z"), "negative_duration", "first_response_at"),
    (row(resolved_at="2025-01-01T00:00:00Z"), "negative_duration", "resolved_at"),
    (row(opened_at="2026-11-21T10:00:01Z"), "future_time", "opened_at"),
    (row(first_response_at="2027-01-01"), "future_time", "first_response_at"),
    (row(resolved_at="2027-01-01"), "future_time", "resolved_at"),
    ("E2,T1", "ragged_row", "portfolio_id"),
    (GOOD + ",more", "ragged_row", ""),
]
GOOD_IDS = ["Caller 2403", "Zoë", "a@b.c", "-1", "12 A ST, BRONX", "é" * 128, "U~1", "100%"]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Every bad row with a good one before and after it; then rows with good ids, all in one file."""
    base = tmp_path_factory.mktemp("mixed")
    lines = [GOOD]
    for number, (line, _, _) in enumerate(BAD_ROWS):
        lines += [line, row(event_id=f"N{number:02d}")]
    lines += [row(tenant_id=f'"{good}"', event_id=f'"{good}"', portfolio_id=f'".{good[2:]}/"') for good in GOOD_IDS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAGEMAKER_BASE_DIR", str(base / "ml"))
        return Read(write_csv(base / "raw", *lines))


@pytest.mark.parametrize("number", range(len(BAD_ROWS)), ids=[f"{reason}-{name}" for _, reason, name in BAD_ROWS])
def test_each_bad_row_is_quarantined_with_reason_column_and_line(mixed: Read, number: int):
    _, reason, column = BAD_ROWS[number]
    line = 3 + 2 * number
    assert [entry for entry in mixed.reasons if entry[2] == line] == [(reason, column, line)]
    assert f"N{number:02d}" in [event["event_id"] for event in mixed.events]


def test_a_bad_row_costs_no_other_row(mixed: Read):
    expected = ["E1", *(f"N{number:02d}" for number in range(len(BAD_ROWS))), *GOOD_IDS]
    assert sorted(event["event_id"] for event in mixed.events) == sorted(expected)
    assert len(mixed.reasons) == mixed.intake.quarantined == len(BAD_ROWS)
    assert mixed.intake.rows == len(BAD_ROWS) + len(expected)


@pytest.mark.parametrize("good", GOOD_IDS)
def test_ids_with_spaces_and_other_characters_are_taken(mixed: Read, good: str):
    (event,) = [event for event in mixed.events if event["event_id"] == good]
    assert event["tenant_id"] == good


def test_clocks_may_differ_by_a_day(raw: Path):
    assert not Read(write_csv(raw, row(opened_at="2026-11-21T10:00:00Z"))).reasons


def test_lines_stay_right_across_quoted_breaks_and_torn_rows(raw: Path):
    header = HEADER + ",note"
    lines = [
        GOOD + ',"two\nlines"',
        "torn",
        row(channel="fax") + ",",
        GOOD + ',"a\nb\nc"',
        "torn",
        row(channel="x") + ",",
    ]
    found = Read(write_csv(raw, *lines, header=header))
    assert [line for _, _, line in found.reasons] == [4, 5, 9, 10]
    assert [reason for reason, _, _ in found.reasons] == ["ragged_row", "unknown_channel"] * 2


def test_a_quote_that_never_closes_counts_every_line_it_swallows(raw: Path):
    found = Read(write_csv(raw, GOOD, row(sentiment='"oops'), *[row(event_id=f"E{i}") for i in range(5000)]))
    assert found.intake.rows == 5002
    assert found.intake.quarantined == 5001
    assert found.intake.quarantined_by_reason[0].reason == "unterminated_quote"


def test_bytes_that_are_not_utf8_cost_their_row_only(raw: Path):
    write_csv(raw, GOOD, "XX", row(event_id="E3"))
    path = raw / "events.csv"
    path.write_bytes(path.read_bytes().replace(b"XX", row(event_id="E2").encode().replace(b"T1", b"T\xff\xfe1")))
    assert Read(raw).reasons == [("invalid_encoding", "tenant_id", 3)]


def test_the_quarantine_holds_no_text_that_is_not_ours(raw: Path):
    found = Read(write_csv(raw, row(channel="x" * 500) + ",secret words", header=HEADER + ",message"))
    assert "secret" not in json.dumps(found.quarantine)
    assert found.quarantine[0]["raw_channel"] == "x" * 64


def test_all_formats_read_the_same(raw: Path):
    lines = [row(event_id=f"E{i}", resolved_at="2026-02-01T00:00:00+02:00", escalated="true") for i in range(3)]
    write_csv(raw, *lines)
    expected = Read(raw).events
    records = [dict(zip(HEADER.split(","), line.split(","), strict=True)) for line in lines]
    (raw / "events.csv").rename(raw / "plain")
    contents = {
        "e.csv.gz": gzip.compress((raw / "plain").read_bytes()),
        "e.CSV": b"\xef\xbb\xbf" + (raw / "plain").read_bytes().replace(b"\n", b"\r\n"),
        "e.jsonl": "\n".join(json.dumps(r) for r in records).encode(),
        "e.jsonl.gz": gzip.compress("\n\n".join(json.dumps(r) for r in records).encode()),
    }
    (raw / "plain").unlink()
    for name, content in contents.items():
        (raw / name).write_bytes(content)
        assert Read(raw).events == expected, name
        (raw / name).unlink()
    pq.write_table(pa.Table.from_pylist(records), raw / "e.parquet")
    assert Read(raw).events == expected


def test_typed_parquet_columns_are_read_as_they_are(raw: Path):
    raw.mkdir()
    table = pa.table({name: pa.array([""]) for name in HEADER.split(",")})
    typed = {
        "event_id": pa.array([7]),
        "tenant_id": pa.array(["T1"]),
        "channel": pa.array(["call"]),
        "direction": pa.array(["inbound"]).dictionary_encode(),
        "opened_at": pa.array([1_767_225_600_000], pa.timestamp("ms")),
        "answered": pa.array([True]),
    }
    for name, values in typed.items():
        table = table.set_column(table.schema.get_field_index(name), name, values)
    pq.write_table(table, raw / "e.parquet")
    (event,) = Read(raw).events
    assert (event["event_id"], event["answered"], str(event["opened_at"])) == ("7", True, "2026-01-01 00:00:00")


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("tenant_id", pa.array([[7]]), r"'tenant_id', read as tenant_id, is INTEGER|BIGINT\[\]"),
        ("event_id", pa.array([{"a": 1}]), "is STRUCT: it must hold text"),
        ("portfolio_id", pa.array([b"x"]), "is BLOB"),
        ("tenant_id", pa.array([7.0]), "is DOUBLE: it must hold text or whole numbers"),
        ("sentiment", pa.array([["positive"]]), "one plain value in each row"),
    ],
)
def test_parquet_columns_without_one_text_are_refused_by_name(raw: Path, column: str, values: pa.Array, words: str):
    raw.mkdir()
    table = pa.table({name: pa.array([""]) for name in HEADER.split(",")})
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, values), raw / "e.parquet")
    with pytest.raises(UserError, match=words) as caught:
        Read(raw)
    assert caught.value.code == "wrong_column_type"


def test_parquet_columns_with_one_name_are_refused_only_when_read(raw: Path):
    raw.mkdir()
    values = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))
    others = [pa.array([{"tenant_id": {"deep": 1}, "b": [1]}]), pa.array(["x"]), pa.array(["y"])]
    arrays = [*others, *(pa.array([value]) for value in values.values())]
    pq.write_table(pa.table(arrays, names=["nested", "note", "Note", *values]), raw / "e.parquet")
    assert len(Read(raw).events) == 1
    pq.write_table(pa.table(arrays, names=["nested", "note", "Tenant_ID", *values]), raw / "e.parquet")
    with pytest.raises(UserError, match="column 'tenant_id' more than once") as caught:
        Read(raw)
    assert caught.value.code == "duplicate_column"


def test_a_header_that_is_data_is_not_told_when_values_stand_twice(raw: Path):
    with pytest.raises(UserError, match="its first line is a header") as caught:
        Read(write_csv(raw, "Jane Roe,Jane Roe,,", header="John Doe,John Doe,,"))
    assert "Doe" not in caught.value.message


def test_json_lines_that_are_no_objects_are_quarantined(raw: Path):
    write_csv(raw, GOOD)
    record = json.dumps(dict(zip(HEADER.split(","), row(event_id="E9").split(","), strict=True)))
    (raw / "more.jsonl").write_text(f"{record}\nnot json\n[1, 2]\n{record[:-1]}\n")
    assert [(r, line) for r, _, line in Read(raw).reasons] == [("not_a_json_object", n) for n in (2, 3, 4)]


def test_offsets_count_and_blanks_are_trimmed(raw: Path):
    (event,) = Read(
        write_csv(raw, row(opened_at=" 2026-01-01T10:00:00+02:00 ", channel=" Ticket ", portfolio_id=""))
    ).events
    assert str(event["opened_at"]) == "2026-01-01 08:00:00"
    assert (event["channel"], event["portfolio_id"]) == ("ticket", "all")


def test_the_zone_of_a_source_holds_for_times_without_offset(raw: Path, tmp_path: Path):
    (tmp_path / "sources").mkdir()
    text = (
        (USE_CASE_FOLDER / "sources/events.yaml").read_text().replace("time_zone: UTC", "time_zone: America/New_York")
    )
    (tmp_path / "sources/events.yaml").write_text(text)
    (event,) = Read(write_csv(raw, row(opened_at="2026-07-01 10:00:00")), tmp_path).events
    assert str(event["opened_at"]) == "2026-07-01 14:00:00"


def test_a_new_export_needs_a_source_file_and_nothing_else(raw: Path, tmp_path: Path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/events.yaml").write_text(
        """
kind: events
columns:
  event_id: '"Ticket #"'
  tenant_id: "'T' || requester"
  channel: "CASE kind WHEN 'Repair' THEN 'maintenance_request' ELSE 'ticket' END"
  opened_at: strptime(created, '%d/%m/%Y %H:%M')
  first_response_at: "NULL"
  resolved_at: strptime(nullif(closed, '?'), '%d/%m/%Y %H:%M')
csv: {delimiter: ";"}
"""
    )
    lines = ["1;7;Repair;01/02/2026 10:00;?", "2;7;Other;bad;?", "3;7;Other;03/02/2026 10:00;04/02/2026 10:00"]
    lines.append("4;7;Other;03/02/2026 10:00;tomorrow")
    found = Read(write_csv(raw, *lines, header="Ticket #;requester;kind;created;closed"), tmp_path)
    assert [(e["event_id"], e["tenant_id"], e["channel"]) for e in found.events] == [
        ("1", "T7", "maintenance_request"),
        ("3", "T7", "ticket"),
    ]
    assert found.reasons == [("unreadable_value", "opened_at", 3), ("unreadable_value", "resolved_at", 5)]


def test_rows_with_the_same_id_are_counted_by_what_they_are(raw: Path):
    again, other = row(resolved_at="2026-01-02T00:00:00Z"), row(resolved_at="2026-01-03T00:00:00Z", tenant_id="T2")
    found = Read(write_csv(raw, GOOD, GOOD, again, other, row(event_id="E2")))
    assert (found.counts.duplicates, found.counts.conflicting_ids, found.counts.happened_again) == (
        3,
        1,
        {"first_response_at": 0, "resolved_at": 1},
    )
    assert [event["repeated"] for event in found.events] == [True] * 4 + [False]


def test_file_names_are_never_sql_or_patterns(raw: Path):
    for number, name in enumerate(["it's; DROP TABLE staged.csv", "*.csv", "a[1]?.csv", "ünï.csv"]):
        write_csv(raw, row(event_id=f"E{number}"), "torn", name=name)
    found = Read(raw)
    assert len(found.events) == 4
    assert {entry["file"] for entry in found.quarantine} == {path.name for path in raw.iterdir()}


def test_columns_may_be_missing_when_the_source_says_so(raw: Path):
    header = "EVENT_ID,tenant_id,channel,opened_at,first_response_at,resolved_at"
    (event,) = Read(write_csv(raw, "E1,T1,ticket,2026-01-01,,", header=header)).events
    assert (event["portfolio_id"], event["sentiment"], event["answered"]) == ("all", None, None)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(SELECT 1)", "subquery"),
        ("a) FROM read_csv('/etc/passwd') --", "not a SQL expression"),
        ("max(opened_at) OVER ()", "window"),
        ("*", "each row"),
        ("t.channel", "dot"),
    ],
)
def test_a_source_expression_sees_one_row_only(tmp_path: Path, expression: str, words: str):
    (tmp_path / "sources").mkdir()
    text = (
        (USE_CASE_FOLDER / "sources/events.yaml")
        .read_text()
        .replace("channel: channel", f"channel: {json.dumps(expression)}")
    )
    (tmp_path / "sources/events.yaml").write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        load_source(tmp_path, "events", USE_CASE)
    assert caught.value.code == "invalid_source"
    assert "columns.channel" in caught.value.message


def test_a_source_expression_cannot_read_other_files(raw: Path, tmp_path: Path):
    (tmp_path / "sources").mkdir()
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    expression = json.dumps(f"coalesce(read_text('{secret}'), channel)")
    text = (USE_CASE_FOLDER / "sources/events.yaml").read_text().replace("channel: channel", f"channel: {expression}")
    (tmp_path / "sources/events.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        Read(write_csv(raw, GOOD), tmp_path)
    assert caught.value.code == "invalid_source"


def test_an_optional_column_that_appears_late_in_json_lines_counts(raw: Path):
    raw.mkdir()
    record = {
        "tenant_id": "T1",
        "channel": "ticket",
        "opened_at": "2026-01-01",
        "first_response_at": "",
        "resolved_at": "",
    }
    lines = [json.dumps({"event_id": f"E{number}"} | record) for number in range(1_500)]
    lines.append(json.dumps({"event_id": "E9999", "escalated": True} | record))
    (raw / "e.jsonl").write_text("\n".join(lines))
    assert [e["event_id"] for e in Read(raw).events if e["escalated"]] == ["E9999"]


def test_nesting_without_end_is_a_bad_line_not_a_crash(raw: Path):
    raw.mkdir()
    record = json.dumps(dict(zip(HEADER.split(","), GOOD.split(","), strict=True)))
    (raw / "e.jsonl").write_text(f"{'[' * 100_000}\n{record}\n")
    assert Read(raw).reasons == [("not_a_json_object", "", 1)]


def test_a_file_without_header_is_refused_without_telling_what_it_holds(raw: Path):
    with pytest.raises(UserError, match="its first line is a header") as caught:
        Read(write_csv(raw, "Jane Roe,jane@example.org", header="John Doe,john@example.org"))
    assert caught.value.code == "missing_column"
    assert "example.org" not in caught.value.message


def test_a_header_that_is_no_csv_is_refused_by_name(raw: Path):
    write_csv(raw)
    (raw / "events.csv").write_bytes(f"{HEADER}\r{GOOD}\r".encode())
    with pytest.raises(UserError, match=r"events\.csv: the header cannot be split") as caught:
        Read(raw)
    assert caught.value.code == "corrupt_file"


def test_a_damaged_file_is_called_by_its_own_name(raw: Path):
    write_csv(raw, *[row(event_id=f"E{number}") for number in range(50_000)])
    whole = gzip.compress((raw / "events.csv").read_bytes())
    (raw / "events.csv").unlink()
    (raw / "late.csv.gz").write_bytes(whole[:-1_000])
    with pytest.raises(UserError, match=r"late\.csv\.gz is a damaged") as caught:
        Read(raw)
    assert caught.value.code == "corrupt_file"
    assert "scratch" not in caught.value.message
    assert "/" not in caught.value.message


def test_a_refused_expression_holds_no_connection():
    with pytest.raises(ValueError, match="subquery") as caught:
        columns_read("(SELECT 1)")
    frames = [entry.frame.f_locals.values() for entry in caught.traceback[1:]]
    assert not [value for values in frames for value in values if isinstance(value, duckdb.DuckDBPyConnection)]


@pytest.mark.slow
def test_lines_are_numbered_in_a_file_that_several_threads_read(raw: Path):
    rows = [row(event_id=f"E{number}", channel="fax" if number % 500 == 0 else "ticket") for number in range(200_000)]
    found = Read(write_csv(raw, *(f"{line},{'-' * 60}" for line in rows), header=HEADER + ",sentiment_note"))
    assert [(item["raw_event_id"], item["line"]) for item in found.quarantine] == [
        (f"E{number}", number + 2) for number in range(0, 200_000, 500)
    ]
