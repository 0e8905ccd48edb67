"""Erases a tenant from one file of any kind; packed files are unpacked and packed again."""

from __future__ import annotations

import codecs
import gzip
import json
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar

import pyarrow as pa

from tenant_experience.data_layout import MANIFEST
from tenant_experience.erasure import _html as erasure_html
from tenant_experience.erasure import _json as erasure_json
from tenant_experience.erasure import _parquet as erasure_parquet
from tenant_experience.erasure import _records as erasure_records
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.intake.files import is_outcomes
from tenant_experience.intake.json_array import NoArrayError, is_array

_CHUNK = 1 << 20
_OVERLAP = 4_096

T = TypeVar("T")
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
PACKED = (_GZIP, _ZIP, _PARQUET)
"""The first bytes of files whose content is compressed or encoded; a tar archive is neither."""

Left = Literal["as it was", "rewritten", "nothing"]


@dataclass(frozen=True)
class Erasure:
    """What erasing did to one file.

    Attributes:
        removed: how many rows, records or entries were the tenant's; 1 for a file that is removed as a whole.
        left: what is left of the file.
        unreadable: the files that could not be unpacked, each with the reason.
    """

    removed: int = 0
    left: Left = "as it was"
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Eraser:
    """Erases one tenant from files.

    Attributes:
        erased: the tenant.
        record_id: the column of ids in our own tables.
        mapping: how the rows of files map to the tenant.
        is_raw: whether these are raw files of a batch, whose Parquet files have columns of their own.
        outcomes: the eraser for files of outcomes in an archive; None where these are read as all others.
    """

    erased: ErasedId
    record_id: str
    mapping: RawMapping
    is_raw: bool
    outcomes: Eraser | None = None

    @property
    def id_columns(self) -> frozenset[str]:
        """The columns and keys that hold ids."""
        return frozenset({self.record_id, f"raw_{self.record_id}", "tenant_id", "raw_tenant_id", "record_id"})

    def erase(self, source: Path, name: str, target: Path) -> Erasure:
        """Erases the tenant from one file.

        Args:
            source: the file, which is not changed.
            name: its name where it comes from, which says how to read it.
            target: written when the answer is ``rewritten``.
        """
        if any(self.erased.is_named_by(part.partition(".")[0]) for part in PurePosixPath(name).parts):
            return Erasure(1, "nothing")
        with source.open("rb") as stream:
            start = stream.read(300)
        try:
            if not start:
                return Erasure()
            if start.startswith(_GZIP):
                return self._gzip(source, name, target)
            if start.startswith(_ZIP):
                return self._zip(source, target)
            if start[257:262] == b"ustar":
                return self._tar(source, target)
            if start.startswith(_PARQUET):
                return self._parquet(source, target)
        except (
            OSError,
            EOFError,
            UnicodeError,
            zlib.error,
            zipfile.BadZipFile,
            tarfile.TarError,
            pa.ArrowException,
        ) as error:
            return Erasure(unreadable=(f"{name}: {type(error).__name__}",))
        return self._text(source, name, target)

    def _text(self, source: Path, name: str, target: Path) -> Erasure:
        suffix = PurePosixPath(name).suffix.lower()
        is_raw = self.is_raw and PurePosixPath(name).name.lower() != MANIFEST
        if suffix in {".csv", ".jsonl"} or (is_raw and suffix in {".tsv", ".txt"}):
            return self._records(source, target, suffix)
        if suffix == ".json":
            found = self._raw_json(source, target) if is_raw else self._document(source, target)
            if found is not None:
                return found
        if suffix == ".html" and self._is_in(source):
            return self._page(source, target)
        return Erasure(1, "nothing") if self._is_in(source) else Erasure()

    def _raw_json(self, source: Path, target: Path) -> Erasure | None:
        """An array of objects, or an object in each line; None when it is neither."""
        with source.open(encoding="utf-8", errors="surrogateescape") as stream:
            if not is_array(stream.read(_CHUNK)):
                return self._records(source, target, ".jsonl")
        try:
            return self._records(source, target, ".json")
        except NoArrayError:
            return self._records(source, target, ".jsonl")

    def _records(self, source: Path, target: Path, suffix: str) -> Erasure:
        is_json = suffix in {".json", ".jsonl"}
        encoding = _exact("utf-8" if is_json else self.mapping.encoding, source)
        with (
            source.open(encoding=encoding, errors="surrogateescape", newline="") as read,
            target.open("w", encoding=encoding, errors="surrogateescape", newline="") as written,
        ):
            known = (written.write, self.erased, self.mapping)
            if suffix == ".json":
                counts = erasure_records.erase_json_array(read, *known)
            elif is_json:
                counts = erasure_records.erase_json_lines(erasure_records.text_lines(read), *known)
            else:
                counts = erasure_records.erase_csv(erasure_records.text_lines(read), *known, suffix)
        if not counts.removed:
            return Erasure()
        return Erasure(counts.removed, "rewritten" if counts.kept else "nothing")

    def _document(self, source: Path, target: Path) -> Erasure | None:
        """None when the file is not JSON, whatever its name says."""
        try:
            document = json.loads(source.read_bytes())
        except (ValueError, RecursionError):
            return None
        found = erasure_json.erase_document(document, self.erased, self.id_columns)
        if not found.entries:
            return Erasure()
        if found.content is None:
            return Erasure(found.entries, "nothing")
        target.write_text(json.dumps(found.content, indent=1) + "\n")
        return Erasure(found.entries, "rewritten")

    def _page(self, source: Path, target: Path) -> Erasure:
        """Removes rows of tables; a page that contains the id elsewhere is removed as a whole."""
        found = erasure_html.erase_rows_of_page(
            source.read_text(encoding="utf-8", errors="surrogateescape"), self.erased
        )
        target.write_text(found.content, encoding="utf-8", errors="surrogateescape")
        return Erasure(1, "nothing") if self._is_in(target) else Erasure(found.rows, "rewritten")

    def _parquet(self, source: Path, target: Path) -> Erasure:
        own = erasure_parquet.id_columns_hold(self.erased, self.id_columns)
        is_tenants = self.mapping.mask if self.is_raw else own
        removed, rows = erasure_parquet.erase_rows(source, target, self.erased, is_tenants)
        if not removed:
            return Erasure()
        return Erasure(removed, "rewritten" if rows or not self.is_raw else "nothing")

    def _gzip(self, source: Path, name: str, target: Path) -> Erasure:
        with TemporaryDirectory(dir=target.parent) as folder:
            inside, rewritten = Path(folder) / "inside", Path(folder) / "rewritten"
            with gzip.open(source) as packed, inside.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            found = self.erase(inside, name.removesuffix(".gz").removesuffix(".tgz"), rewritten)
            if found.left == "rewritten":
                # No name and no time in its header, so that the same content gives the same file.
                with (
                    rewritten.open("rb") as read,
                    target.open("wb") as file,
                    gzip.GzipFile("", "wb", fileobj=file, mtime=0) as written,
                ):
                    shutil.copyfileobj(read, written)
            return found

    def _zip(self, source: Path, target: Path) -> Erasure:
        with zipfile.ZipFile(source) as old:
            members = [(info.filename, info) for info in old.infolist() if not info.is_dir()]

            def read(info: zipfile.ZipInfo, file: Path) -> None:
                with old.open(info) as packed, file.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)

            found = self._look(members, read, target.parent)
            if found.left == "rewritten":
                with zipfile.ZipFile(target, "w") as new:

                    def write(info: zipfile.ZipInfo, file: Path) -> None:
                        fresh = zipfile.ZipInfo(info.filename, info.date_time)
                        fresh.compress_type, fresh.external_attr = info.compress_type, info.external_attr
                        with file.open("rb") as unpacked, new.open(fresh, "w", force_zip64=True) as packed:
                            shutil.copyfileobj(unpacked, packed)

                    self._rewrite(members, read, write, target.parent)
            return found

    def _tar(self, source: Path, target: Path) -> Erasure:
        with tarfile.open(source) as old:
            members = [(info.name, info) for info in old if info.isfile()]

            def read(info: tarfile.TarInfo, file: Path) -> None:
                packed = old.extractfile(info)
                if packed is not None:
                    with packed, file.open("wb") as unpacked:
                        shutil.copyfileobj(packed, unpacked)

            found = self._look(members, read, target.parent)
            if found.left == "rewritten":
                with tarfile.open(target, "w") as new:

                    def write(info: tarfile.TarInfo, file: Path) -> None:
                        info.size = file.stat().st_size
                        with file.open("rb") as unpacked:
                            new.addfile(info, unpacked)

                    self._rewrite(members, read, write, target.parent)
            return found

    def _look(self, members: list[tuple[str, T]], read: Callable[[T, Path], None], scratch: Path) -> Erasure:
        """What erasing from every member of an archive would do."""
        removed, kept, unreadable = 0, 0, list[str]()
        for found, _, _ in self._each(members, read, scratch):
            removed += found.removed
            kept += found.left != "nothing"
            unreadable += found.unreadable
        left: Left = "as it was" if not removed else "rewritten" if kept else "nothing"
        return Erasure(removed, left, tuple(unreadable))

    def _rewrite(
        self,
        members: list[tuple[str, T]],
        read: Callable[[T, Path], None],
        write: Callable[[T, Path], None],
        scratch: Path,
    ) -> None:
        for found, info, file in self._each(members, read, scratch):
            if found.left != "nothing":
                write(info, file)

    def _each(
        self, members: list[tuple[str, T]], read: Callable[[T, Path], None], scratch: Path
    ) -> Iterator[tuple[Erasure, T, Path]]:
        """For each member: what erasing did to it, and the file that holds what is left of it."""
        with TemporaryDirectory(dir=scratch) as folder:
            inside, rewritten = Path(folder) / "inside", Path(folder) / "rewritten"
            for name, info in members:
                read(info, inside)
                eraser = self.outcomes if self.outcomes and is_outcomes(name) else self
                found = eraser.erase(inside, name, rewritten)
                yield found, info, rewritten if found.left == "rewritten" else inside

    def _is_in(self, source: Path) -> bool:
        with source.open("rb") as stream:
            before = b""
            while chunk := stream.read(_CHUNK):
                if self.erased.is_in_text(before + chunk):
                    return True
                before = (before + chunk)[-_OVERLAP:]
        return False


def _exact(encoding: str, source: Path) -> str:
    """The encoding that reproduces a file exactly when it is read and written: a byte order mark stays in it."""
    if codecs.lookup(encoding).name != "utf-16":
        return encoding
    with source.open("rb") as stream:
        return "utf-16-be" if stream.read(2) == codecs.BOM_UTF16_BE else "utf-16-le"
