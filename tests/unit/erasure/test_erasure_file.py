"""A tenant is erased from files of every kind; everybody else's records stay as they were."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from tenant_experience.erasure.file import Eraser, Erasure
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.use_case.source import Source
from tests.support.erasing import EVENTS, ME, Erase, eraser_in, erasing_from_own, parquet_of


@pytest.fixture
def erase(tmp_path: Path) -> Iterator[Erase]:
    with erasing_from_own(tmp_path) as erase_own:
        yield erase_own


@pytest.fixture
def erase_raw(tmp_path: Path) -> Callable[..., tuple[Erasure, bytes]]:
    """From raw files; the expression says how an id is made."""

    def erase_mapped(name: str, content: bytes, expression: str = "tenant_id", me: str = ME) -> tuple[Erasure, bytes]:
        source = Source.model_validate({"kind": "events", "columns": {**EVENTS, "tenant_id": expression}})
        with RawMapping.open(source, "tenant_id", ErasedId((me,))) as mapping:
            return eraser_in(tmp_path, Eraser(ErasedId((me,)), "tenant_id", mapping, is_raw=True))(name, content)

    return erase_mapped


CSV = (
    "\ufeffevent_id,tenant_id,channel,note\r\n"
    'e1,T000013,ticket,"two\nlines, and ""quotes"""\r\n'
    "e2,T000014,ticket,mine\r\n"
    'e3, T000014 ,call,"mine\nin two lines"\r\n'
    'e4,"T000014",call,mine\r\n'
    "e5,T000013,ticket,T000014 complained\r\n"
    "e6,T000014-2,ticket,another tenant whose id begins alike\r\n"
    "e7,XT000014,ticket,another\r\n"
    "ragged,T000014\r\n"
    'e8,T000015,"never closed,x\r\n'
    "e9,T000014,ticket,after the open quote\r\n"
    "e10,T000015,ticket,\xe9nd"
).encode()
CSV_LEFT = (
    "\ufeffevent_id,tenant_id,channel,note\r\n"
    'e1,T000013,ticket,"two\nlines, and ""quotes"""\r\n'
    "e6,T000014-2,ticket,another tenant whose id begins alike\r\n"
    "e7,XT000014,ticket,another\r\n"
    'e8,T000015,"never closed,x\r\n'
    "e10,T000015,ticket,\xe9nd"
).encode()
JSON_LINES = (
    b'{"event_id": 1, "tenant_id": "T000014"}\n{"tenant_id":"T000013","note":"a\\/b"}\n'
    b'{"Tenant_ID": "T000014"}\n{"tenant_id": "T0000\\u00314"}\n{"broken": "T000014"\n{"broken": "T000015"\n'
)
JSON_LINES_LEFT = b'{"tenant_id":"T000013","note":"a\\/b"}\n{"broken": "T000015"\n'


def test_of_csv_every_other_record_stays_as_it_was_byte_for_byte(erase_raw):
    found, left = erase_raw("tickets.csv", CSV)
    assert found == Erasure(6, "rewritten")
    assert left == CSV_LEFT


def test_bytes_that_are_no_utf_8_stay(erase_raw):
    found, left = erase_raw("x.csv", b"tenant_id,note\nT000014,a\nT000013,\xff\xfe\xe9\n")
    assert (found.removed, left) == (1, b"tenant_id,note\nT000013,\xff\xfe\xe9\n")


def test_of_json_lines_every_other_line_stays(erase_raw):
    found, left = erase_raw("orders.jsonl", JSON_LINES)
    assert found == Erasure(4, "rewritten")
    assert left == JSON_LINES_LEFT


def test_a_line_with_two_ids_is_about_both_tenants(erase_raw):
    lines = (
        b'{"tenant_id": "T000014", "tenant_id": "T000013"}\n{"tenant_id": "T000013", "Tenant_Id": "T000014"}\n'
        b'{"tenant_id": "T000015", "tenant_id": "T000013", "note": {"tenant_id": 1}}\n'
    )
    found, left = erase_raw("orders.jsonl", lines)
    assert (found.removed, left) == (2, lines[lines.index(b'{"tenant_id": "T000015"') :])


def raw_erasure(tmp_path: Path, csv: dict[str, object], name: str, content: bytes) -> tuple[Erasure, bytes]:
    source = Source.model_validate({"kind": "events", "columns": {**EVENTS, "tenant_id": "tenant_id"}, "csv": csv})
    with RawMapping.open(source, "tenant_id", ErasedId((ME,))) as mapping:
        return eraser_in(tmp_path, Eraser(ErasedId((ME,)), "tenant_id", mapping, is_raw=True))(name, content)


@pytest.mark.parametrize(
    ("name", "csv", "delimiter"),
    [("e.tsv", {}, "\t"), ("e.txt", {}, ";"), ("e.csv", {"delimiter": "|"}, "|"), ("e.txt", {"delimiter": "^"}, "^")],
)
@pytest.mark.parametrize("quote", ['"', "'", ""])
def test_of_any_text_every_other_record_stays_as_it_was(
    tmp_path: Path, name: str, csv: dict[str, object], delimiter: str, quote: str
):
    columns = ["tenant_id", *(column for column in EVENTS if column != "tenant_id")]
    before = [f"Report for {ME}\n", "\n"]
    rows = [
        [ME, "a"],
        ["T000013", f"{quote}b{delimiter * bool(quote)}c{quote}"],
        [f"{quote}{ME}{quote}", "d"],
        ["T000013", "it's 5 ft 3 in" if quote == '"' else 'it is 5"'],
    ]
    lines = [delimiter.join([*row, *[""] * (len(columns) - 2)]) + "\n" for row in rows]
    content = "".join([*before, delimiter.join(columns) + "\n", *lines]).encode()
    found, left = raw_erasure(tmp_path, {**csv, "quote": quote, "skip_lines": 2}, name, content)
    assert (found.removed, found.left) == (3, "rewritten")
    assert left.decode() == "".join(["\n", "\n", delimiter.join(columns) + "\n", lines[1], lines[3]])


def test_of_an_array_every_other_entry_stays_as_it_was(tmp_path: Path):
    entries = [
        '{"tenant_id": "T000014"}',
        '{"tenant_id": "T000013",\n "n": 1.50}',
        '{"Tenant_Id": "T0000\\u00314"}',
        "7",
        '{"tenant_id": "T000015", "tenant_id": "T000014"}',
        '{"tenant_id": "T000015", "note": "T000014 called"}',
    ]
    found, left = raw_erasure(tmp_path, {}, "e.json", f"[{', '.join(entries)}]".encode())
    assert (found.removed, found.left) == (4, "rewritten")
    assert left.decode() == f"[\n{entries[1]},\n7\n]\n"
    assert raw_erasure(tmp_path, {}, "e.json", f"[{entries[0]}]".encode())[0] == Erasure(1, "nothing")
    lines = "\n".join([entries[0], '{"tenant_id": "T000013"}', ""])
    found, left = raw_erasure(tmp_path, {}, "e.json", lines.encode())
    assert (found.removed, left) == (1, b'{"tenant_id": "T000013"}\n')
    found, left = raw_erasure(tmp_path, {}, "e.json", b'[{"tenant_id": "T000014"},\n{"tenant_id": "T000013"\n')
    assert (found.removed, left) == (1, b'{"tenant_id": "T000013"\n')


def test_what_a_row_maps_to_is_for_the_source_to_say(erase_raw):
    rows = b"caller,site\nCaller 2403,1\nCaller 24031,2403\n caller 2403 ,3\nCaller 7,2403\n"
    found, left = erase_raw("log.csv", rows, "regexp_extract(lower(caller), '[0-9]+')", me="2403")
    assert found.removed == 2
    assert left == b"caller,site\nCaller 24031,2403\nCaller 7,2403\n"


def test_an_id_of_two_columns_and_one_of_numbers(erase_raw):
    found, left = erase_raw("x.csv", b"house,flat\n3,1\n31,\n3,2\n", "house || '/' || flat", me="3/1")
    assert (found.removed, left) == (1, b"house,flat\n31,\n3,2\n")
    found, left = erase_raw("x.jsonl", b'{"tenant_id": 12, "n": 3}\n{"tenant_id": 3, "n": 12}\n', me="12")
    assert (found.removed, left) == (1, b'{"tenant_id": 3, "n": 12}\n')


def test_a_file_without_other_records_goes_and_one_without_the_tenant_is_not_written(erase_raw):
    assert erase_raw("x.csv", b"tenant_id\nT000014\n\n")[0] == Erasure(1, "nothing")
    assert erase_raw("x.csv", b"tenant_id\nT000013\n")[0] == Erasure()


def packed(kind: str, members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def test_packed_raw_files_are_unpacked_and_packed_again(erase_raw):
    found, left = erase_raw("tickets.csv.gz", gzip.compress(CSV))
    assert (found.removed, gzip.decompress(left)) == (6, CSV_LEFT)
    members = {"a/tickets.csv": CSV, "orders.jsonl": JSON_LINES, "T000014.csv": b"tenant_id\n", "other.csv": b"x\n1\n"}
    found, left = erase_raw("export.zip", packed("zip", members))
    archive = zipfile.ZipFile(io.BytesIO(left))
    assert found.removed == 11
    assert {name: archive.read(name) for name in archive.namelist()} == {
        "a/tickets.csv": CSV_LEFT,
        "orders.jsonl": JSON_LINES_LEFT,
        "other.csv": b"x\n1\n",
    }


def test_rows_of_parquet_go_and_its_schema_stays(erase, erase_raw):
    table = pa.table(
        {
            "tenant_id": pa.array(["T000013", ME, "T000015", "T000014-2"]).dictionary_encode(),
            "note": ["", "", f"see {ME}", None],
            "n": pa.array([1, 2, 3, 4], pa.int16()),
        }
    )
    for each in (erase, erase_raw):
        found, left = each("features.parquet", parquet_of(table))
        rows = parquet.read_table(io.BytesIO(left))
        assert found.removed == 2
        assert rows.schema.equals(table.schema)
        assert rows["n"].to_pylist() == [1, 4]
        assert b"T000014\x00" not in left
    numbers = pa.table({"tenant_id": pa.array([12, 13], pa.int64()), "n": [13, 12]})
    found, left = erase_raw("x.parquet", parquet_of(numbers), me="12")
    assert parquet.read_table(io.BytesIO(left)).to_pylist() == [{"tenant_id": 13, "n": 12}]


def test_the_quarantine_and_a_table_emptied_of_its_last_row_stay_tables(erase):
    found, left = erase("quarantine.parquet", parquet_of(pa.table({"reason": ["x"], "raw_tenant_id": [ME]})))
    assert found == Erasure(1, "rewritten")
    assert parquet.read_table(io.BytesIO(left)).num_rows == 0


@pytest.mark.parametrize(
    ("document", "left"),
    [
        ({"T000014": "ThrottlingException", "T000013": "x"}, {"T000013": "x"}),
        (
            {"models": [{"key": "k", "samples": [{"instance": {"tenant_id": ME}, "p": 1}, {"instance": {}, "p": 2}]}]},
            {"models": [{"key": "k", "samples": [{"instance": {}, "p": 2}]}]},
        ),
        ([ME, "T000013", "T000014-2"], ["T000013", "T000014-2"]),
        ({"note": f"both {ME} and T000013"}, {"note": "both [erased] and T000013"}),
        ({"tenant_id": ME, "features": {}}, None),
        ({"n": 14}, {"n": 14}),
    ],
)
def test_entries_of_json_go_by_structure(erase, document: object, left: object):
    found, content = erase("x.json", json.dumps(document).encode())
    if left is None:
        assert found.left == "nothing"
    elif left == document:
        assert found == Erasure()
    else:
        assert json.loads(content) == left


def test_an_archive_of_a_model_is_looked_into(erase):
    content = packed("tar", {"all/model.ubj": b"\x00\x01", "all/samples.json": json.dumps([ME, "other"]).encode()})
    found, left = erase("model.tar.gz", content)
    assert found == Erasure(1, "rewritten")
    with tarfile.open(fileobj=io.BytesIO(left)) as archive:
        assert [member.name for member in archive] == ["all/model.ubj", "all/samples.json"]


@pytest.mark.parametrize(
    "text",
    [
        f"<td>{ME}</td>".encode(),
        f"GET /tenants/{ME}/features".encode(),
        f"tenant_id={ME};".encode(),
        f"word {ME}.".encode(),
        f"x {ME} y".encode("utf-16-le"),
        f"x {ME} y".encode("utf-16-be"),
        b"." * 2_000_000 + ME.encode(),
        b"." * ((1 << 20) - 3) + b" " + ME.encode() + b" ",
    ],
)
def test_a_text_that_says_the_id_goes_as_a_whole(erase, text: bytes):
    assert erase("report.html", text)[0] == Erasure(1, "nothing")


def test_of_a_page_only_the_rows_that_name_the_tenant_go(erase):
    row = "<tr><th scope=row>{}</th>\n<td>1</td></tr>\n"
    page = "<h1>R</h1><table>\n" + row.format("T000013") + row.format(ME) + row.format("T0000145") + "</table>"
    found, content = erase("report.html", page.encode())
    assert found == Erasure(1, "rewritten")
    assert content.decode() == "<h1>R</h1><table>\n" + row.format("T000013") + row.format("T0000145") + "</table>"
    assert erase("report.html", page.replace("R", f"of {ME}").encode())[0] == Erasure(1, "nothing")


def test_what_cannot_be_unpacked_is_named(erase):
    found, _ = erase("calls.csv.gz", gzip.compress(b"a,b\n" * 999)[:40])
    assert found == Erasure(unreadable=("calls.csv.gz: EOFError",))


def test_files_in_other_encodings_keep_theirs(tmp_path: Path):
    csv = {"delimiter": ";", "encoding": "utf-16"}
    columns = {**EVENTS, "tenant_id": "tenant_id"}
    source = Source.model_validate({"kind": "events", "columns": columns, "csv": csv})
    rows, left = "tenant_id;note\r\nT000014;\xe9\r\nT000013;\xe9\r\n", "tenant_id;note\r\nT000013;\xe9\r\n"
    with RawMapping.open(source, "tenant_id", ErasedId((ME,))) as mapping:
        erase = eraser_in(tmp_path, Eraser(ErasedId((ME,)), "tenant_id", mapping, is_raw=True))
        for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
            found, content = erase("x.csv", mark + rows.encode(encoding))
            assert (found.removed, content) == (1, mark + left.encode(encoding))


@pytest.mark.parametrize("name", ["predictions/1/T000057.json", "T000057", "a/T000057-b.csv"])
def test_a_proof_names_no_object_by_the_tenant(name: str) -> None:
    assert "T000057" not in ErasedId.of("T000057", case="sensitive").blot_out_name(name)
    assert ErasedId.of("T00005", case="sensitive").blot_out_name(name) == name


@pytest.mark.parametrize("before", ["\n", "\t", "\r\n", "\u201e", "\u2013", "\u20ac", " ", "("])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("name", ["log.jsonl", "log.json", "note.txt", "note.csv"])
def test_what_json_writes_before_an_id_hides_it_nowhere(
    erase_raw: Callable[..., tuple[Erasure, bytes]], erase: Erase, before: str, ascii_only: bool, name: str
) -> None:
    """A line feed is a backslash and a letter in JSON, and T000014 stands behind it all the same."""
    rows = [{"tenant_id": "T000013", "note": f"said{before}{ME} called"}, {"tenant_id": "T000013", "note": "kept"}]
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    if name == "note.csv":  # a column of JSON
        lines = ["tenant_id,note", *(f"T000013,'{json.dumps(row['note'])[1:-1]}'" for row in rows)]
    content = "\n".join([*lines, ""])
    if name == "log.json":
        content = f"[{','.join(lines)}]"
    if name == "note.txt":  # a text of our own
        assert erase(name, content.encode())[0] == Erasure(1, "nothing")
        assert erase(name, content.encode("utf-16-le"))[0] == Erasure(1, "nothing")
    else:
        found, left = erase_raw(name, content.encode())
        assert (found.removed, found.left) == (1, "rewritten")
        assert b"kept" in left
        assert ME.encode() not in left


@pytest.mark.parametrize("note", ["\u00fcT000014", "XT000014", "nT000014", "T000014\u00fc", "T000014-2"])
def test_json_that_names_a_longer_id_stays(erase_raw: Callable[..., tuple[Erasure, bytes]], note: str) -> None:
    line = json.dumps({"tenant_id": "T000013", "note": note})
    assert erase_raw("log.jsonl", line.encode())[0] == Erasure()


@pytest.mark.parametrize("url", ["/find?q=hello%20T000014", "/find?q=%22T000014%22", "x%0aT000014", "a%2CT000014"])
def test_an_id_in_a_url_is_found_behind_what_separates_words(erase: Erase, url: str) -> None:
    assert erase("log.txt", url.encode())[0] == Erasure(1, "nothing")
    assert ErasedId((ME,)).is_in_line(url)


JOINED = {
    "7Eb~north": ["a!7Eb~north", "note: a!7Eb~north.", "/records/a%217Eb~north/features"],
    "2Eb~north": ["a!2Eb~north"],
    "a~berlin": ["a~berlin!7Ec", "a~berlin!2Fc and more", "a~berlin!21", "/records/a~berlin%217Ec", "a~berlin!2e"],
    "536365~7": ["1536365~7", "536365~71", "1~536365~7", "536365~7~1"],
    "!7Eb~north": ["a!7Eb~north"],
}


@pytest.mark.parametrize("me", JOINED)
def test_an_id_made_from_columns_is_not_a_piece_of_another_one(tmp_path: Path, me: str) -> None:
    others = JOINED[me]
    table = pa.table({"tenant_id": [me, *others], "note": [""] * (1 + len(others))})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    with erasing_from_own(tmp_path, me) as erase:
        found, left = erase("features.parquet", buffer.getvalue())
        assert found.removed == 1
        assert parquet.read_table(io.BytesIO(left))["tenant_id"].to_pylist() == others
        for row in others:
            assert erase("scores.csv", f"tenant_id,score\n{row},1\n".encode())[0] == Erasure()
        for text in (f"'{me}'", f"hello {me}!", f"\\n{me}", f"/records/{me}/features", f"{me}! 21 times", f"Oh! {me}"):
            assert ErasedId((me,)).is_in_line(text), text
