"""Text files under other names, with other delimiters and quotes, and with lines before the header."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from tenant_experience.errors import UserError
from tenant_experience.intake import json_array
from tenant_experience.use_case.source import Source
from tests.support.places import USE_CASE_FOLDER
from tests.support.raw_reading import GOOD, HEADER, Read

SECOND = GOOD.replace("E1", "E2").replace("ticket", "work_order")
OBJECTS = [dict(zip(HEADER.split(","), row.split(","), strict=True)) for row in (GOOD, SECOND)]
PREAMBLE = ["Report created 2026-11-01", "", 'By "the system, for T1']


def in_folder(folder: Path, name: str, content: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def text(delimiter: str, *lines: str, end: str = "\n") -> str:
    return end.join([HEADER, *(lines or (GOOD, SECOND)), ""]).replace(",", delimiter)


def use_case_with(folder: Path, csv: str) -> Path:
    copy = folder / USE_CASE_FOLDER.name
    (copy / "sources").mkdir(parents=True)
    (copy / "use_case.yaml").write_text((USE_CASE_FOLDER / "use_case.yaml").read_text())
    source = (USE_CASE_FOLDER / "sources/events.yaml").read_text()
    (copy / "sources/events.yaml").write_text(source.replace('csv:\n  delimiter: ","\n', f"csv: {csv}\n"))
    return copy


def ids(read: Read) -> list[str]:
    return [event["event_id"] for event in read.events]


def refusal(folder: Path, use_case: Path = USE_CASE_FOLDER) -> UserError:
    with pytest.raises(UserError) as caught:
        Read(folder, use_case)
    return caught.value


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("e.tsv", "\t"), ("e.TSV", "\t"), ("e.txt", "\t"), ("e.txt", ","), ("e.txt", ";"), ("e.txt", "|"), ("e.csv", ",")],
)
@pytest.mark.parametrize("packed", ["", "gz", "zip"])
def test_text_is_read_by_its_name_and_of_txt_by_its_header(tmp_path: Path, name: str, delimiter: str, packed: str):
    content = text(delimiter, GOOD, "ragged", SECOND).encode()
    folder = tmp_path / "raw"
    if packed == "zip":
        folder.mkdir()
        with zipfile.ZipFile(folder / "e.zip", "w") as archive:
            archive.writestr(name, content)
    else:
        in_folder(folder, f"{name}.gz" if packed else name, gzip.compress(content) if packed else content)
    read = Read(folder)
    assert ids(read) == ["E1", "E2"]
    assert read.reasons == [("ragged_row", "tenant_id", 3)]


def test_the_delimiter_of_the_source_counts_for_every_text(tmp_path: Path):
    use_case = use_case_with(tmp_path, "{delimiter: '^'}")
    for name in ("e.csv", "e.tsv", "e.txt"):
        assert ids(Read(in_folder(tmp_path / name, name, text("^")), use_case)) == ["E1", "E2"]


@pytest.mark.parametrize("delimiter", ['"\\t"', r"'\t'", "tab"])
def test_a_tab_may_be_written_in_three_ways(tmp_path: Path, delimiter: str):
    use_case = use_case_with(tmp_path, f"{{delimiter: {delimiter}}}")
    assert ids(Read(in_folder(tmp_path / "raw", "e.csv", text("\t")), use_case)) == ["E1", "E2"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_lines_before_the_header_are_skipped_and_line_numbers_stay_those_of_the_file(
    tmp_path: Path, end: str, encoding: str
):
    use_case = use_case_with(tmp_path, f"{{skip_lines: 3, encoding: {encoding}}}")
    bad = GOOD.replace("ticket", "fax").replace("E1", "E9")
    lines = [*PREAMBLE, HEADER, GOOD, bad, "ragged", SECOND, 'E3,"T1']
    raw = in_folder(tmp_path / "raw", "e.csv", (end.join(lines) + end).encode(encoding))
    read = Read(raw, use_case)
    assert ids(read) == ["E1", "E2"]
    assert [(reason, line) for reason, _, line in read.reasons] == [
        ("unknown_channel", 6),
        ("ragged_row", 7),
        ("unterminated_quote", 9),
    ]
    assert [row["lines"] for row in read.quarantine] == [1, 1, 1]
    assert (read.counts.files[0].rows, read.counts.files[0].quarantined) == (5, 3)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ("\n".join([*PREAMBLE, text(",")]), "Line 4 would be a header with all of them: write csv: {skip_lines: 3}"),
        (text(";"), 'Line 1 would be a header with all of them: write csv: {delimiter: ";"}'),
        (text("\t"), 'Line 1 would be a header with all of them: write csv: {delimiter: "\\t"}'),
        (
            "\n".join(["x", "; ".join(f"'{name}'" for name in HEADER.split(",")).replace("; ", ";"), ""]),
            'write csv: {skip_lines: 1, delimiter: ";", quote: "\'"}',
        ),
    ],
)
def test_a_header_that_is_elsewhere_is_found_and_the_message_says_what_to_write(
    tmp_path: Path, content: str, advice: str
):
    error = refusal(in_folder(tmp_path / "raw", "e.csv", content))
    assert error.code == "missing_column"
    assert advice in error.message


def test_no_header_among_the_first_lines_gives_no_advice(tmp_path: Path):
    error = refusal(in_folder(tmp_path / "raw", "e.csv", "x\n" * 20 + text(",")))
    assert error.code == "missing_column"
    assert "would be a header" not in error.message


def test_more_lines_skipped_than_there_are_is_a_missing_header(tmp_path: Path):
    use_case = use_case_with(tmp_path, "{skip_lines: 9}")
    error = refusal(in_folder(tmp_path / "raw", "e.csv", text(",")), use_case)
    assert error.code == "missing_column"
    assert "write csv: {skip_lines: 0}" in error.message


@pytest.mark.parametrize(("quote", "mark"), [('"\'"', "'"), ("'\"'", '"')])
def test_a_quote_of_the_source_s_own(tmp_path: Path, quote: str, mark: str):
    use_case = use_case_with(tmp_path, f"{{quote: {quote}}}")
    row = GOOD.replace(",T1,", f",{mark}O{mark}{mark}Neil, 1{mark},")
    names = HEADER.replace("tenant_id", f"{mark}tenant_id{mark}")
    read = Read(in_folder(tmp_path / "raw", "e.csv", f"{names}\n{row}\n{SECOND}\n"), use_case)
    assert [event["tenant_id"] for event in read.events] == [f"O{mark}Neil, 1", "T1"]


def test_without_quotes_a_quote_is_a_character(tmp_path: Path):
    use_case = use_case_with(tmp_path, '{quote: ""}')
    inch = GOOD.replace(",T1,", ',5" pipe,')
    content = f"{HEADER}\n{inch}\n" + SECOND.replace(",T1,", ',"T1,') + "\n"
    read = Read(in_folder(tmp_path / "raw", "e.csv", content), use_case)
    assert [event["tenant_id"] for event in read.events] == ['5" pipe', '"T1']
    assert read.quarantine == []


def test_an_open_quote_costs_every_row_that_it_swallows(tmp_path: Path):
    rows = [GOOD.replace("E1", f"E{number}") for number in range(1, 8)]
    never = in_folder(tmp_path / "never", "e.csv", "\n".join([HEADER, *rows[:2], 'E8,"T1', *rows[2:]]) + "\n")
    read = Read(never)
    assert ids(read) == ["E1", "E2"]
    assert [(row["reason"], row["line"], row["lines"]) for row in read.quarantine] == [("unterminated_quote", 4, 6)]
    # The quote of a later row closes it, so that for a reader all of this is one value.
    last = rows[5] + "positive" + '"'
    closed = [HEADER, rows[0], rows[1] + '"x', *rows[2:5], last, rows[6]]
    read = Read(in_folder(tmp_path / "closed", "e.csv", "\n".join(closed) + "\n"))
    assert ids(read) == ["E1", "E7"]
    assert [(row["reason"], row["line"], row["lines"]) for row in read.quarantine] == [("swallowed_rows", 3, 5)]
    assert (read.counts.files[0].rows, read.counts.files[0].quarantined) == (7, 5)


def test_a_note_of_several_lines_is_no_swallowed_row(tmp_path: Path):
    use_case = use_case_with(tmp_path, "{}")
    source = use_case / "sources/events.yaml"
    first = "portfolio_id: substr(portfolio_id, 1, 1)"
    source.write_text(source.read_text().replace("portfolio_id: portfolio_id", first))
    note = '"pay, now,\nor, well, never\n\nthanks, a, b\n"'
    read = Read(in_folder(tmp_path / "raw", "e.csv", f"{HEADER}\n{GOOD.replace(',p,', f',{note},')}\n"), use_case)
    assert (ids(read), read.quarantine) == (["E1"], [])


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(OBJECTS),
        "\ufeff\n " + json.dumps(OBJECTS, indent=2) + "\n",
        "\n".join(map(json.dumps, OBJECTS)),
        "[" + ",\n".join(map(json.dumps, OBJECTS)) + "]",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("block", [1, 100, 1 << 20])
def test_json_is_an_array_of_objects_or_an_object_in_each_line(
    tmp_path: Path, content: str, packed: bool, block: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(json_array, "_BLOCK_CHARACTERS", block)
    name, data = ("e.json.gz", gzip.compress(content.encode())) if packed else ("e.json", content.encode())
    read = Read(in_folder(tmp_path / "raw", name, data))
    assert (ids(read), read.quarantine) == (["E1", "E2"], [])


def test_the_line_of_a_refused_entry_is_its_place_in_the_array(tmp_path: Path):
    entries = [OBJECTS[0], 7, OBJECTS[1] | {"channel": "fax"}, [1], OBJECTS[1]]
    read = Read(in_folder(tmp_path / "raw", "e.json", json.dumps(entries, indent=1)))
    assert ids(read) == ["E1", "E2"]
    assert [(reason, line) for reason, _, line in read.reasons] == [
        ("not_a_json_object", 2),
        ("unknown_channel", 3),
        ("not_a_json_object", 4),
    ]


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (json.dumps({"tickets": OBJECTS}, indent=1), "wrong_file_type", "is no array of objects"),
        ("hello", "wrong_file_type", "is no array of objects"),
        (json.dumps(OBJECTS)[:-1], "corrupt_file", "entry 2 is no JSON, is cut off or is too long"),
        (json.dumps(OBJECTS)[:-20], "corrupt_file", "entry 2 is no JSON"),
        (json.dumps(OBJECTS).replace("}, {", "} {"), "corrupt_file", "entry 1 is no JSON"),
        (json.dumps(OBJECTS) + "]", "corrupt_file", "something stands behind the array of 2 entries"),
        ("[]", "empty_file", "is an empty array"),
    ],
)
def test_json_that_is_neither_is_refused_with_what_to_write(tmp_path: Path, content: str, code: str, said: str):
    error = refusal(in_folder(tmp_path / "raw", "e.json", content))
    assert (error.code, said in error.message) == (code, True), error.message
    assert error.message.startswith("e.json ")


@pytest.mark.parametrize(
    "csv",
    [{"delimiter": '"'}, {"delimiter": "'", "quote": "'"}, {"delimiter": "\n"}, {"quote": "\n"}, {"skip_lines": -1}],
)
def test_options_that_contradict_each_other_are_refused(csv: dict[str, object]):
    with pytest.raises(ValueError, match="csv"):
        Source.model_validate({"kind": "table", "columns": {"a": "a"}, "csv": csv})
