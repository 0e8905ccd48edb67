"""What cannot be a data file is refused by name, with the columns it should have."""

import gzip
import zipfile
from pathlib import Path

import pytest

from tenant_experience.errors import UserError
from tenant_experience.intake.files import find_raw_files
from tests.support.raw_reading import EVENTS_SOURCE

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("events.csv", b"", "empty_file", "0 bytes"),
        ("events.csv", b"\n \n", "empty_file", "empty"),
        ("events.csv.gz", gzip.compress(b"", mtime=0), "empty_file", "empty"),
        ("events.csv", PNG, "wrong_file_type", "a PNG image"),
        ("events.csv", b"PK\x03\x04xxxx", "wrong_file_type", "Excel"),
        ("events.csv", b"a,b\n1,\x00\x01", "wrong_file_type", "binary"),
        ("events.csv", "a,b\n".encode("utf-16"), "wrong_file_type", "UTF-16"),
        ("events.csv", b"PAR1xxxx", "wrong_file_type", "Parquet"),
        ("events.csv", gzip.compress(b"a,b\n", mtime=0), "wrong_file_type", "gzip"),
        ("events.csv.gz", b"a,b\n", "wrong_file_type", "something else"),
        ("events.csv.gz", gzip.compress(b"a,b\n" * 999, mtime=0)[:30], "corrupt_file", "damaged"),
        ("events.parquet", b"a,b\n", "wrong_file_type", "something else"),
        ("events.parquet", PNG, "wrong_file_type", "PNG"),
        ("events.xlsx", b"PK\x03\x04", "unknown_extension", ".csv.gz"),
        ("README", b"hello", "unknown_extension", ".parquet"),
    ],
)
def test_a_file_that_cannot_be_data_is_named(raw: Path, name: str, content: bytes, code: str, words: str):
    (raw / "manifest.json").write_text("{}")
    (raw / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        find_raw_files(raw, EVENTS_SOURCE, raw.parent)
    assert caught.value.code == code
    assert name in caught.value.message
    assert words in caught.value.message
    assert code == "unknown_extension" or "tenant_id" in caught.value.message


def test_a_batch_without_data_is_named(raw: Path):
    (raw / "manifest.json").write_text("{}")
    (raw / ".DS_Store").write_bytes(b"x")
    (raw / "_SUCCESS").touch()
    with pytest.raises(UserError) as caught:
        find_raw_files(raw, EVENTS_SOURCE, raw.parent)
    assert caught.value.code == "no_files"
    assert caught.value.message == (
        "the batch has no data files beside manifest.json; 2 files were not read, because their names, or those of "
        "their folders, begin with . or _: .DS_Store, _SUCCESS. Give data files other names"
    )


def test_a_batch_of_nothing_says_which_columns_are_expected(raw: Path):
    with pytest.raises(UserError, match=r"no data files beside manifest\.json; expected columns: event_id, tenant_id"):
        find_raw_files(raw, EVENTS_SOURCE, raw.parent)


def test_many_skipped_files_are_counted_and_some_are_named(raw: Path):
    (raw / "_old").mkdir()
    for place in range(7):
        (raw / "_old" / f"{place}.csv").touch()
    with pytest.raises(UserError, match=r"7 files were not read.*_old/0\.csv, .*_old/4\.csv and 2 more") as caught:
        find_raw_files(raw, EVENTS_SOURCE, raw.parent)
    assert caught.value.code == "no_files"


def test_an_archive_without_data_names_what_was_skipped(raw: Path):
    with zipfile.ZipFile(raw / "a.zip", "w") as archive:
        archive.writestr("__MACOSX/._events.csv", "x")
    with pytest.raises(UserError) as caught:
        find_raw_files(raw, EVENTS_SOURCE, raw.parent)
    assert caught.value.code == "empty_file"
    assert caught.value.message.startswith("a.zip contains no files that are read: 1 file was not read, because")
    assert caught.value.message.endswith(": a.zip/__MACOSX/._events.csv")


def test_files_in_folders_are_found_in_a_fixed_order(raw: Path):
    for name in ("b.csv", "a/x.csv", "a/manifest.json.csv"):
        (raw / name).parent.mkdir(exist_ok=True)
        (raw / name).write_text("h\n1\n")
    found = find_raw_files(raw, EVENTS_SOURCE, raw.parent)
    assert [file.name for file in found] == ["a/manifest.json.csv", "a/x.csv", "b.csv"]
