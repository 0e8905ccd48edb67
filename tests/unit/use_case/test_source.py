"""Source files: what each setting does to the rows of a file, and what is said about one that is wrong."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tenant_experience.settings_file import line_of
from tenant_experience.use_case.schema import load_use_case
from tenant_experience.use_case.source import Source, load_source
from tests.support.places import USE_CASES
from tests.support.raw_reading import USE_CASE, Read

SOURCE = """kind: events
columns:
  event_id: number
  tenant_id: caller
  channel: "'ticket'"
  opened_at: opened
  first_response_at: "NULL"
  resolved_at: closed
"""
HEADER = "number,caller,opened,closed,state"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def write_source(tmp_path: Path, settings: str = "") -> Path:
    (tmp_path / "sources").mkdir(exist_ok=True)
    (tmp_path / "sources/events.yaml").write_text(SOURCE + settings)
    return tmp_path


def load(tmp_path: Path, settings: str) -> Source:
    return load_source(write_source(tmp_path, settings), "events", USE_CASE)


def read(tmp_path: Path, settings: str, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> Read:
    (tmp_path / "raw").mkdir(exist_ok=True)
    (tmp_path / "raw/e.csv").write_text("\n".join([header, *lines]) + "\n", encoding=encoding)
    return Read(tmp_path / "raw", write_source(tmp_path, settings))


def test_null_markers_read_as_no_value(tmp_path: Path):
    found = read(
        tmp_path, 'null_markers: ["?", "n/a"]\n', "1,7,2026-01-01, ? ,x", "2,n/a,2026-01-01,,x", "3,na?,2026-01-01,,"
    )
    assert [(event["event_id"], event["tenant_id"], event["resolved_at"]) for event in found.events] == [
        ("1", "7", None),
        ("3", "na?", None),
    ]
    assert found.reasons == [("missing_value", "tenant_id", 3)]


def test_time_formats_are_tried_in_order_and_nothing_else_is_read(tmp_path: Path):
    settings = 'time_formats: ["%d/%m/%Y %H:%M", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%S%z"]\ntime_zone: America/New_York\n'
    lines = ["1,7,02/03/2026 10:00,,", "2,7,12/31/2025,,", "3,7,2026-07-01T10:00:00+02:00,,", "4,7,2026-07-01,,"]
    found = read(tmp_path, settings, *lines)
    opened = [str(event["opened_at"]) for event in found.events]
    assert opened == ["2026-03-02 15:00:00", "2025-12-31 05:00:00", "2026-07-01 08:00:00"]
    assert found.reasons == [("unreadable_time", "opened_at", 5)]


def test_time_formats_are_for_text_and_leave_time_stamps_alone(tmp_path: Path, raw: Path):
    raw.mkdir()
    table = pa.table(
        {
            "number": ["1"],
            "caller": ["7"],
            "opened": pa.array([1_767_225_600_000], pa.timestamp("ms", tz="UTC")),
            "closed": ["02/01/2026 00:00"],
            "state": [""],
        }
    )
    pq.write_table(table, raw / "e.parquet")
    found = Read(raw, write_source(tmp_path, 'time_formats: ["%d/%m/%Y %H:%M"]\n'))
    (event,) = found.events
    assert (str(event["opened_at"]), str(event["resolved_at"])) == ("2026-01-01 00:00:00", "2026-01-02 00:00:00")


def test_rows_the_filter_passes_over_are_counted_and_neither_kept_nor_refused(tmp_path: Path):
    lines = ["1,7,2026-01-01,,keep", "2,7,bad,,drop", "3,7,2026-01-01,,", "4,7,bad,,keep", "torn"]
    found = read(tmp_path, "where: state = 'keep'\n", *lines)
    assert [event["event_id"] for event in found.events] == ["1"]
    assert found.reasons == [("unreadable_time", "opened_at", 5), ("ragged_row", "caller", 6)]
    (counted,) = found.counts.files
    assert (counted.rows, counted.quarantined, counted.filtered) == (5, 2, 2)
    assert found.intake.filtered == 2
    assert found.intake.quarantined_share == pytest.approx(2 / 3)


@pytest.mark.parametrize("where", ["CAST(state AS INTEGER) = 1", "state"])
def test_a_row_the_filter_cannot_tell_is_refused(tmp_path: Path, where: str):
    found = read(tmp_path, f"where: {where}\n", "1,7,2026-01-01,,1", "2,7,2026-01-01,,two", "3,7,2026-01-01,,")
    assert found.reasons == [("unreadable_value", "where", 3)]
    assert found.counts.files[0].filtered == 1


def test_the_columns_of_the_filter_are_read(tmp_path: Path):
    with pytest.raises(UserError, match="has no column 'agency', from which where is read") as caught:
        read(tmp_path, "where: agency = 'HPD'\n", "1,7,2026-01-01,,")
    assert caught.value.code == "missing_column"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252", "UTF-8"])
def test_files_in_other_encodings_are_read(tmp_path: Path, encoding: str):
    found = read(
        tmp_path, f"csv: {{encoding: {encoding}}}\n", "1,Zoë,2026-01-01,,", "2,Ünal,2026-01-01,,", encoding=encoding
    )
    assert [event["tenant_id"] for event in found.events] == ["Zoë", "Ünal"]


@pytest.mark.parametrize(
    ("encoding", "good", "bad"),
    [
        ("utf-16-le", "x".encode("utf-16-le"), b"\x00\xdc"),
        ("cp1252", b"x", b"\x81"),
        ("utf-16-be", b"\x00x", b"\xdc\x00"),
    ],
)
def test_bytes_that_are_not_of_the_encoding_cost_their_row_only(
    tmp_path: Path, raw: Path, encoding: str, good: bytes, bad: bytes
):
    read(
        tmp_path,
        f"csv: {{encoding: {encoding}}}\n",
        "1,7,2026-01-01,,",
        "2,x,2026-01-01,,",
        "3,7,2026-01-01,,",
        encoding=encoding,
    )
    (raw / "e.csv").write_bytes((raw / "e.csv").read_bytes().replace(good, bad))
    found = Read(raw, tmp_path)
    assert found.reasons == [("invalid_encoding", "caller", 3)]
    assert [event["event_id"] for event in found.events] == ["1", "3"]


def test_columns_that_are_not_read_may_lack_a_name_or_share_one(tmp_path: Path):
    (event,) = read(tmp_path, "", "1,7,2026-01-01,,a,b,,", header=f"{HEADER},State,,").events
    assert event["event_id"] == "1"
    with pytest.raises(UserError, match="column 'caller' more than once") as caught:
        read(tmp_path, "", "1,7,2026-01-01,,a,b", header=f"{HEADER},Caller")
    assert caught.value.code == "duplicate_column"


def test_rows_of_an_event_log_are_updates_and_not_duplicates(tmp_path: Path):
    (write_source(tmp_path) / "sources/events.yaml").write_text(SOURCE + "  recorded_at: state\n")
    raw = tmp_path / "raw"
    raw.mkdir()
    moments = ["2026-01-01", "2026-01-02", "2026-01-02", "", ""]
    (raw / "e.csv").write_text("\n".join([HEADER, *(f"1,7,2026-01-01,,{moment}" for moment in moments)]))
    counts = Read(raw, tmp_path).counts
    assert (counts.updates, counts.duplicates) == (2, 2)


def test_a_source_may_set_other_thresholds_of_history(tmp_path: Path):
    source = load(tmp_path, "history: {minimum_days: 30, provisional_below: 60}\n")
    history = source.adjust(USE_CASE).history
    assert (history.window_days, history.minimum_days, history.provisional_below) == (365, 30, 60)


def test_as_of_of_a_source_is_in_utc(tmp_path: Path):
    as_of = load(tmp_path, "as_of: 2016-06-01T02:00:00+02:00\n").as_of
    assert as_of is not None
    assert as_of.isoformat() == "2016-06-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("nul_markers: []\n", ["line 9", "'nul_markers'", "null_markers"]),
        ("csv:\n  delimiter: ;;\n", ["line 10", "csv.delimiter"]),
        ("csv:\n  delimiter: ;\n  encodings: x\n", ["line 11", "csv.encodings", "encoding"]),
        ("csv: {encoding: utf8000}\n", ["line 9", "csv.encoding", "latin-1"]),
        ("csv: {encoding: base64}\n", ["line 9", "csv.encoding", "latin-1"]),
        ("time_formats:\n  - '%d/%m/%Y'\n  - '%Q'\n", ["line 11", "time_formats.1", "%Q"]),
        ("where: (SELECT true)\n", ["line 9", "'where'", "subquery"]),
        (f"where: {'NOT ' * 900}true\n", ["line 9", "'where'", "nested too deeply"]),
        (f"where: {'abs(' * 200}a{')' * 200} > 0\n", ["line 9", "'where'", "nested too deeply"]),
        ("history: {minimum_days: 300}\n", ["line 9", "'history'", "minimum_days <= provisional_below"]),
        ("history: {window_days: 100}\n", ["line 9", "use_case.yaml"]),
        (
            "history: {window_days: -1, minimum_days: -1}\n",
            ["line 9", "window_days must be at least 1; minimum_days must be at least 0"],
        ),
        ("as_of: 2016-06-01\n", ["line 9", "'as_of'", "must be a time with a zone"]),
        ("as_of: soon\n", ["line 9", "'as_of'"]),
        ("time_zone: Mars\n", ["line 9", "IANA"]),
        ("time_zone: localtime\n", ["line 9", "IANA"]),
        ('time_formats: ["%Y-%m-%d %H:%M %Z"]\n', ["line 9", "%Z", "%z"]),
        ("where: a\nwhere: b\n", ["line 10", "'where'", "repeated"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(tmp_path: Path, settings: str, words: list[str]):
    with pytest.raises(UserError) as caught:
        load(tmp_path, settings)
    assert caught.value.code == "invalid_source"
    for word in ("events.yaml", *words):
        assert word in caught.value.message


def test_a_wrong_set_of_columns_is_named_with_its_line(tmp_path: Path):
    path = write_source(tmp_path) / "sources/events.yaml"
    path.write_text(SOURCE.replace("  resolved_at: closed\n", "").replace("columns:", "\n\ncolumns:"))
    with pytest.raises(UserError, match="line 4: key 'columns' lacks resolved_at"):
        load_source(tmp_path, "events", USE_CASE)


def test_line_of_a_missing_key_is_that_of_what_holds_it(tmp_path: Path):
    path = write_source(tmp_path) / "sources/events.yaml"
    assert (line_of(path, "columns", "channel"), line_of(path, "columns", "rent"), line_of(path, "rent")) == (5, 2, 1)


def test_the_files_name_is_for_files_of_the_queue_alone():
    folder = USE_CASES / "telecom_churn"
    source = load_source(folder, "inference", load_use_case(folder))
    assert "regexp_extract('it''s.csv'" in source.of_file("it's.csv").columns["customer_id"]
    with pytest.raises(UserError, match=r"uses \$file, which only files below inference/ have"):
        source.of_batch("inference")
    assert load_source(folder, "churn", load_use_case(folder)).of_batch("churn").columns
