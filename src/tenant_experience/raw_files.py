"""Finding the files of a batch, and refusing by name what cannot be one."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from tenant_experience.data_layout import MANIFEST
from tenant_experience.errors import UserError

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
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\x1f\x8b": "gzip",
    b"PAR1": "Parquet",
}
_SNIFFED_BYTES = 65_536
_MAXIMUM_HEADER_BYTES = 1_048_576


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


def find_raw_files(folder: Path, expected_columns: list[str]) -> list[RawFile]:
    """Every data file below ``folder``, by name; ``manifest.json`` and names that begin with ``.`` or ``_`` are not.

    Args:
        folder: the downloaded batch.
        expected_columns: what messages say the files should hold.

    Raises:
        UserError: ``no_files``, ``unknown_extension``, ``empty_file``, ``wrong_file_type`` or ``corrupt_file``; the
            message names the file and the columns it should have.
    """
    wanted = f"expected columns: {', '.join(expected_columns)}"
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_bookkeeping(path, folder))
    if not paths:
        raise UserError(f"the batch holds no data files beside {MANIFEST}; {wanted}", code="no_files")
    files = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        extension = next((end for end in sorted(_FORMATS, key=len, reverse=True) if name.lower().endswith(end)), None)
        if extension is None:
            accepted = ", ".join(_FORMATS)
            raise UserError(
                f"{name}: cannot be read by its extension; accepted are {accepted}", code="unknown_extension"
            )
        file = RawFile(path, name, _FORMATS[extension], extension)
        _check_content(file, wanted)
        files.append(file)
    return files


def _is_bookkeeping(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return parts == (MANIFEST,) or any(part.startswith((".", "_")) for part in parts)


def _check_content(file: RawFile, wanted: str) -> None:
    if file.path.stat().st_size == 0:
        raise UserError(f"{file.name} is empty (0 bytes); {wanted}", code="empty_file")
    with file.path.open("rb") as stream:
        start = stream.read(_SNIFFED_BYTES)
    is_really = next((what for signature, what in _SIGNATURES.items() if start.startswith(signature)), "")
    should_be = "gzip" if file.is_compressed else "Parquet" if file.format == "parquet" else ""
    if is_really != should_be:
        found = is_really or "something else"
        raise UserError(f"{file.name} is called {file.extension} but is {found}; {wanted}", code="wrong_file_type")
    if file.format != "parquet":
        _check_text(file, wanted)


def _check_text(file: RawFile, wanted: str) -> None:
    try:
        with file.open() as stream:
            start = stream.read(_SNIFFED_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file.name} is a damaged gzip file: {error}; {wanted}", code="corrupt_file") from error
    if not start.strip():
        raise UserError(f"{file.name} is empty; {wanted}", code="empty_file")
    if b"\x00" in start:
        what = "UTF-16 text: save it as UTF-8" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "a binary file"
        raise UserError(f"{file.name} is called {file.extension} but is {what}; {wanted}", code="wrong_file_type")


def read_csv_header(file: RawFile, delimiter: str) -> list[str]:
    """The column names of a CSV file, trimmed.

    Raises:
        UserError: ``wrong_encoding`` when it is not UTF-8, ``corrupt_file`` when it is no line of CSV,
            ``duplicate_column`` when a name stands twice.
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
    lowered = [name.lower() for name in names]
    twice = sorted({name for name in names if lowered.count(name.lower()) > 1})
    if twice:
        raise UserError(f"{file.name}: column {twice[0]!r} stands twice in the header", code="duplicate_column")
    return names
