"""Files that once ended a job by a traceback, by no end at all, or by telling what they hold."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import UserError
from tenant_experience.settings_file import load_settings
from tenant_experience.use_case.schema import UseCase
from tests.support.raw_reading import GOOD, HEADER, Read, write_csv

PAIRS = [f"{chr(place)}{chr(place + 1)}" for place in range(ord("a"), ord("z"))]
RECORD = dict(zip(HEADER.split(","), GOOD.split(","), strict=True))


def refused(folder: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        Read(folder)
    return caught.value


@pytest.mark.slow
def test_damage_inside_a_parquet_file_is_named_whatever_kind_of_error_duckdb_makes_of_it(raw: Path):
    pq.write_table(pa.table({name: [value] * 40 for name, value in RECORD.items()}), raw / "e.parquet")
    content = (raw / "e.parquet").read_bytes()
    endings = set()
    for place in range(4, len(content) - 8, 211):
        (raw / "e.parquet").write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            Read(raw)
        except UserError as error:
            endings.add(error.code)
    assert "corrupt_file" in endings


@pytest.mark.parametrize("key", ["", '"', "x" * 10_000, "\x00", "a/~b"])
def test_keys_of_json_that_nobody_reads_do_no_harm(raw: Path, key: str):
    (raw / "e.jsonl").write_text(json.dumps(RECORD | {key: 1}))
    assert [event["event_id"] for event in Read(raw).events] == ["E1"]


def test_half_a_character_in_json_costs_its_row_only(raw: Path):
    (raw / "e.jsonl").write_text(json.dumps(RECORD | {"\ud800": 1}) + "\n" + json.dumps(RECORD))
    read = Read(raw)
    assert len(read.events) == 1
    assert read.reasons == [("not_a_json_object", "", 1)]


def test_a_key_of_json_in_two_spellings_is_refused(raw: Path):
    (raw / "e.jsonl").write_text(json.dumps(RECORD | {"TENANT_ID": "T2"}))
    assert refused(raw).code == "duplicate_column"


@pytest.mark.slow
def test_a_csv_of_very_many_columns_is_read(raw: Path):
    more = [f"c{number}" for number in range(1_500)]
    header, line = ",".join([HEADER, *more]), ",".join([GOOD, *(f'"{name}\n"' for name in more)])
    read = Read(write_csv(raw, line, "x", header=header))
    assert [event["event_id"] for event in read.events] == ["E1"]
    assert read.reasons == [("ragged_row", "tenant_id", 1_503)]


def test_a_header_as_long_as_a_file_is_refused(raw: Path):
    assert refused(write_csv(raw, GOOD, header=HEADER + ",E1,T1" * 1_000)).code == "corrupt_file"


def test_json_that_is_called_csv_is_refused_without_telling_what_it_holds(raw: Path):
    (raw / "e.csv").write_text(json.dumps(RECORD | {"tenant_id": "Jane Roe"}))
    error = refused(raw)
    assert error.code == "missing_column"
    assert "Jane" not in error.message


def test_a_file_is_called_by_a_name_that_can_be_told(raw: Path):
    read = Read(write_csv(raw, GOOD, "x", name="\x1b\udcff.csv"))
    assert [row["file"] for row in read.quarantine] == [file.name for file in read.intake.files] == ["??.csv"]


def test_a_name_of_a_file_cannot_control_a_terminal_or_break_the_message(raw: Path):
    (raw / "\x1b[31m\udcff.csv").write_text("event_id\n")
    error = refused(raw)
    assert error.message.startswith("?[31m?.csv has no column")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [x]\n" + "".join(f"{pair[1]}: &{pair[1]} [*{pair[0]}, *{pair[0]}]\n" for pair in PAIRS), "line 2"),
        ("a: &a [*a]", "line 1"),
        ("[" * 50_000, "more than 30 levels of nesting"),
        ("{a: " * 20_000, "more than 30 levels of nesting"),
    ],
)
def test_yaml_that_would_take_hours_or_all_memory_is_refused(tmp_path: Path, text: str, words: str):
    path = tmp_path / "use_case.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        load_settings(path, UseCase, code="invalid_use_case")
    assert caught.value.code == "invalid_use_case"


def test_a_text_that_is_no_utf_8_is_named_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    columns = {name: pa.array(["secret"] * 3) for name in HEADER.split(",")}
    pq.write_table(pa.table(columns), path, use_dictionary=False, compression="none", write_statistics=False)
    path.write_bytes(path.read_bytes().replace(b"secret", b"secre\xb8"))
    with pytest.raises(UserError) as refusal:
        Read(tmp_path)
    assert refusal.value.code == "corrupt_file"
    assert "a value is not valid UTF8" in refusal.value.message
    assert "secre" not in refusal.value.message
