"""Finding the files of a batch, and refusing by name what cannot be one."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from tenant_experience.data_layout import MANIFEST
from tenant_experience.errors import UserError
from tenant_experience.intake._zip import printable, unpack_zip
from tenant_experience.use_case.source import Source

FileFormat = Literal["csv", "jsonl", "parquet"]

_FORMATS: dict[str, FileFormat] = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".parquet": "parquet",
}
_SIGNATURES = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PK\x05\x06": "a zip archive without members",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\x1f\x8b": "gzip",
    b"PAR1": "Parquet",
}
ZIP = ".zip"
# DuckDB does not look at a gzip file's checksum. To verify it costs 0.01 s a megabyte, 40% more CPU than reading alone:
# too much for a large file, where damage mostly ends the stream early or tears rows. At most 1 GiB is unpacked for it.
_VERIFIED_BYTES = 8 << 20
_VERIFIED_BLOCK = 1 << 20
_VERIFIED_BLOCKS = 1 << 10
_SNIFFED_BYTES = 65_536
_MAXIMUM_HEADER_BYTES = 1_048_576
_MOST_COLUMNS = 2_000
_UNDECODABLE = "lone_surrogate"


@dataclass(frozen=True)
class RawFile:
    """One file of a batch.

    Attributes:
        path: where it is.
        name: its path inside the batch; what messages and the quarantine show.
        format: how to read it.
        extension: with the leading dot, ``.csv.gz`` for example.
    """

    path: Path
    name: str
    format: FileFormat
    extension: str

    @property
    def is_compressed(self) -> bool:
        """Whether it is a gzip stream."""
        return self.extension.endswith(".gz")

    def open(self) -> IO[bytes]:
        """The bytes of the file, unpacked."""
        return gzip.open(self.path) if self.is_compressed else self.path.open("rb")  # type: ignore[return-value]


def find_raw_files(folder: Path, source: Source, scratch: Path) -> list[RawFile]:
    """Every data file below ``folder``, by name; ``manifest.json`` and names that begin with ``.`` or ``_`` are not.

    Args:
        folder: the downloaded batch.
        source: says which columns the files should hold, and in which encoding.
        scratch: where what has to be unpacked is put.

    Raises:
        UserError: ``no_files``, ``unknown_extension``, ``empty_file``, ``wrong_file_type`` or ``corrupt_file``, or of
            :func:`unpack_zip`; the message names the file and the columns it should have.
    """
    wanted = f"expected columns: {', '.join(source.raw_columns())}"
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_bookkeeping(path, folder))
    if not paths:
        raise UserError(f"the batch holds no data files beside {MANIFEST}; {wanted}", code="no_files")
    files = []
    for number, path in enumerate(paths):
        name = printable(path.relative_to(folder).as_posix())
        if name.lower().endswith(ZIP):
            _check_signature(path, name, ZIP, "a zip archive", wanted)
            parts = unpack_zip(path, name, scratch / f"unpacked_{number}")
        else:
            parts = [(path, name)]
        files += [_recognised(part, part_name, source.csv.encoding, wanted) for part, part_name in parts]
    return files


def _is_bookkeeping(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return parts == (MANIFEST,) or any(part.startswith((".", "_")) for part in parts)


def _recognised(path: Path, name: str, encoding: str, wanted: str) -> RawFile:
    extension = next((end for end in sorted(_FORMATS, key=len, reverse=True) if name.lower().endswith(end)), None)
    if extension is None:
        accepted = ", ".join((*_FORMATS, ZIP))
        raise UserError(f"{name}: cannot be read by its extension; accepted are {accepted}", code="unknown_extension")
    file = RawFile(path, name, _FORMATS[extension], extension)
    content = "gzip" if file.is_compressed else "Parquet" if file.format == "parquet" else ""
    _check_signature(path, name, extension, content, wanted)
    if file.format != "parquet":
        _check_text(file, encoding, wanted)
    return file


def _check_signature(path: Path, name: str, extension: str, should_be: str, wanted: str) -> None:
    if path.stat().st_size == 0:
        raise UserError(f"{name} is empty (0 bytes); {wanted}", code="empty_file")
    with path.open("rb") as stream:
        start = stream.read(max(map(len, _SIGNATURES)))
    is_really = next((what for signature, what in _SIGNATURES.items() if start.startswith(signature)), "")
    if not is_really.startswith(should_be) or (is_really and not should_be):
        found = is_really or "something else"
        raise UserError(f"{name} is called {extension} but is {found}; {wanted}", code="wrong_file_type")


def _check_text(file: RawFile, encoding: str, wanted: str) -> None:
    try:
        with file.open() as stream:
            start = stream.read(_SNIFFED_BYTES)
            if file.is_compressed and file.path.stat().st_size <= _VERIFIED_BYTES:
                for _ in range(_VERIFIED_BLOCKS):
                    if not stream.read(_VERIFIED_BLOCK):
                        break
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file.name} is a damaged gzip file: {error}; {wanted}", code="corrupt_file") from error
    if not start.strip():
        raise UserError(f"{file.name} is empty; {wanted}", code="empty_file")
    if b"\x00" in start and not (file.format == "csv" and encoding.startswith(("utf-16", "utf-32"))):
        what = (
            "UTF-16 text: save it as UTF-8, or say csv.encoding in the source"
            if start.startswith((b"\xff\xfe", b"\xfe\xff"))
            else "a binary file"
        )
        raise UserError(f"{file.name} is called {file.extension} but is {what}; {wanted}", code="wrong_file_type")


def in_utf8(file: RawFile, encoding: str, path: Path) -> RawFile:
    """A text file written again, as UTF-8, to ``path``.

    DuckDB reads other encodings, but gives the whole file up for one wrong byte. Here what cannot be decoded becomes
    bytes that are not UTF-8 either, so that it costs its row and no more.

    Raises:
        UserError: ``corrupt_file``.
    """
    with io.TextIOWrapper(file.open(), encoding, _UNDECODABLE, newline="") as source, path.open("wb") as target:
        try:
            while text := source.read(_SNIFFED_BYTES):
                target.write(text.encode("utf-8", "surrogatepass"))
        except (OSError, EOFError, zlib.error, UnicodeError) as error:
            raise UserError(f"{file.name} cannot be read as {encoding}: {error}", code="corrupt_file") from error
    return replace(file, path=path, extension=".csv")


def _lone_surrogate(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_UNDECODABLE, _lone_surrogate)


def read_csv_header(file: RawFile, delimiter: str, wanted: Collection[str]) -> list[str]:
    """The column names of a CSV file, trimmed, each once: one without a name, or with that of another, gets its own.

    Args:
        file: CSV.
        delimiter: one character.
        wanted: the names that are read; upper and lower case are the same.

    Raises:
        UserError: ``wrong_encoding`` when it is not UTF-8, ``corrupt_file`` when it is no line of CSV or far too long,
            ``duplicate_column`` when a wanted name stands twice.
    """
    with file.open() as stream:
        start = stream.readline(_MAXIMUM_HEADER_BYTES)
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file.name}: the header is not UTF-8: save the file as UTF-8", code="wrong_encoding"
        ) from error
    try:
        names = [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter), [])]
    except csv.Error as error:
        raise UserError(
            f"{file.name}: the header cannot be split into columns ({error}): save the file with a header line and "
            "line feeds at the ends of lines",
            code="corrupt_file",
        ) from error
    if len(names) > _MOST_COLUMNS:
        raise UserError(
            f"{file.name}: the header has {len(names)} columns; at most {_MOST_COLUMNS} are read: is its first line a "
            "header, with a line feed at its end?",
            code="corrupt_file",
        )
    require_once(file, names, wanted)
    return _each_once(names)


def require_once(file: RawFile, names: list[str], wanted: Collection[str]) -> None:
    """Checks that no wanted column stands twice; what else the header says, which may be somebody's data, is not told.

    Raises:
        UserError: ``duplicate_column``.
    """
    lowered = [name.lower() for name in names]
    twice = next((name for name in wanted if lowered.count(name.lower()) > 1), None)
    if twice:
        raise UserError(f"{file.name}: column {twice!r} stands twice in the header", code="duplicate_column")


def _each_once(names: list[str]) -> list[str]:
    taken = {name.lower() for name in names}
    unique: dict[str, str] = {}
    for place, given in enumerate(names, start=1):
        name = given
        if not given or given.lower() in unique:
            name = f"(column {place})"
            while name in taken:
                name += "'"
        unique[name.lower()] = name
    return list(unique.values())
