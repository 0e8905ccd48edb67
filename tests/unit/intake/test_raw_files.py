"""What cannot be a data file is refused by name, with the columns it should have."""

import gzip
from pathlib import Path

import pytest

from tenant_experience.errors import UserError
from tenant_experience.intake.files import find_raw_files
from tests.support.raw_reading import EVENTS_SOURCE

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


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
    with pytest.raises(UserError, match="no data files") as caught:
        find_raw_files(raw, EVENTS_SOURCE, raw.parent)
    assert caught.value.code == "no_files"


def test_files_in_folders_are_found_in_a_fixed_order(raw: Path):
    for name in ("b.csv", "a/x.csv", "a/manifest.json.csv"):
        (raw / name).parent.mkdir(exist_ok=True)
        (raw / name).write_text("h\n1\n")
    found = find_raw_files(raw, EVENTS_SOURCE, raw.parent)
    assert [file.name for file in found] == ["a/manifest.json.csv", "a/x.csv", "b.csv"]
