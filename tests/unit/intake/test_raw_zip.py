"""Zip archives: read like the files in them, and refused by name when they are damaged or made to do harm."""

import io
import zipfile
from pathlib import Path

import pytest

from tenant_experience.errors import UserError
from tenant_experience.intake import _zip as raw_zip
from tenant_experience.intake.files import find_raw_files
from tenant_experience.intake.formats import RawFile
from tests.support.raw_reading import EVENTS_SOURCE

CSV = b"event_id\n" + b"".join(b"%d\n" % number for number in range(2_000))


def pack(members: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def find(tmp_path: Path, content: bytes, name: str = "log.zip") -> list[RawFile]:
    raw, scratch = tmp_path / "raw", tmp_path / "scratch"
    raw.mkdir(exist_ok=True)
    scratch.mkdir()
    (raw / name).write_bytes(content)
    return find_raw_files(raw, EVENTS_SOURCE, scratch)


def test_the_files_of_an_archive_are_read_like_others(tmp_path: Path):
    members = {
        "b/e.csv": CSV,
        "b/": b"",
        "a.jsonl": b"{}",
        "__MACOSX/b/._e.csv": b"x",
        ".hidden/e.csv": b"x",
        "b/.DS_Store": b"x",
        "__MACOSX\\b\\e.csv": b"x",
        "b\\_note.csv": b"x",
    }
    found = find(tmp_path, pack(members), "Log.ZIP")
    assert [(file.name, file.format) for file in found] == [("Log.ZIP/a.jsonl", "jsonl"), ("Log.ZIP/b/e.csv", "csv")]
    assert found[1].path.read_bytes() == CSV


def test_no_member_leaves_the_scratch_folder(tmp_path: Path):
    members = {"../../outside.csv": CSV, "/absolute.csv": CSV, "..\\..\\windows.csv": CSV}
    found = find(tmp_path, pack({**members, "new\nline\x1b[31m.csv": CSV}))
    assert {file.path.parent.parent for file in found} == {tmp_path / "scratch"}
    assert all(file.name.isprintable() for file in found)
    assert sorted(path.name for path in tmp_path.rglob("*.csv")) == []


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (pack({}), "empty_file", "log.zip"),
        (pack({"__MACOSX/e.csv": b"x"}), "empty_file", "no files that are read"),
        (pack({"../e.csv": CSV}), "empty_file", "begins with . or _"),
        (pack({"manifest.json": b"{}", "x.csv": CSV}), "unknown_extension", "beside the data files"),
        (pack({"deep/inner.zip": pack({"e.csv": CSV})}), "nested_archive", "log.zip/deep/inner.zip"),
        (pack({"e.csv": b""}), "empty_file", "log.zip/e.csv"),
        (pack({"e.xlsx": b"x"}), "unknown_extension", "log.zip/e.xlsx"),
        (pack({"e.csv": b"\x89PNG"}), "wrong_file_type", "log.zip/e.csv"),
        (pack({"e.csv": CSV})[:-30], "corrupt_file", "damaged"),
        (pack({"e.csv": CSV})[:200] + pack({"e.csv": CSV})[230:], "corrupt_file", "damaged"),
        (pack({"e.csv": CSV}, compression=zipfile.ZIP_STORED).replace(b"1999", b"1998"), "corrupt_file", "CRC"),
        (b"a,b\n", "wrong_file_type", "log.zip"),
        (b"", "empty_file", "log.zip"),
    ],
)
def test_an_archive_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, code: str, words: str):
    with pytest.raises(UserError) as caught:
        find(tmp_path, content)
    assert caught.value.code == code
    assert words in caught.value.message


def test_an_encrypted_member_is_refused(tmp_path: Path):
    content = bytearray(pack({"e.csv": CSV}))
    content[6] |= 1  # the flag of the local header, then of the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UserError, match="is encrypted") as caught:
        find(tmp_path, bytes(content))
    assert caught.value.code == "encrypted_archive"


def test_a_way_of_packing_that_is_not_known_is_refused(tmp_path: Path):
    content = bytearray(pack({"e.csv": CSV}))
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 99
    with pytest.raises(UserError, match="cannot be read") as caught:
        find(tmp_path, bytes(content))
    assert caught.value.code == "corrupt_file"


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path):
    bomb = pack({"e.csv": bytes(raw_zip.RATIO_COUNTS_FROM_BYTES + 1)})
    with pytest.raises(UserError, match="200 times its size") as caught:
        find(tmp_path, bomb)
    assert caught.value.code == "unsafe_archive"
    assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]


def test_too_many_members_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="at most 1000 files") as caught:
        find(tmp_path, pack({f"{number}.csv": b"x" for number in range(raw_zip.MEMBER_LIMIT + 1)}))
    assert caught.value.code == "unsafe_archive"


def test_more_bytes_than_the_disk_has_are_refused(tmp_path: Path):
    content = bytearray(pack({"e.csv": CSV}))
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (0xFFFFFFFE).to_bytes(4, "little")
    with pytest.raises(UserError) as caught:
        find(tmp_path, bytes(content))
    assert caught.value.code == "unsafe_archive"


def test_a_member_without_a_name_is_refused_by_name(tmp_path: Path) -> None:
    packed = bytearray(pack({"aaaa": CSV}, compression=zipfile.ZIP_STORED))
    directory = packed.index(b"PK\x01\x02")
    # Its name of four bytes, which is then an empty extra field, has the length 0.
    packed[directory + 28 : directory + 32] = b"\x00\x00\x04\x00"
    packed[directory + 46 : directory + 50] = bytes(4)
    with pytest.raises(UserError) as caught:
        find(tmp_path, bytes(packed))
    assert "log.zip" in caught.value.message
