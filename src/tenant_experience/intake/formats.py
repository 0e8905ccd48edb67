"""The formats of raw files: which extensions are read, and whether a file is what its extension says.

A new format is an entry of ``FORMATS`` here and the SQL that reads it in ``scan.py``.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from tenant_experience.data_layout import MANIFEST
from tenant_experience.errors import UserError

FileFormat = Literal["csv", "jsonl", "parquet"]

FORMATS: dict[str, FileFormat] = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".txt": "csv",
    ".txt.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".json": "jsonl",  # json_array makes it so
    ".json.gz": "jsonl",
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
_SNIFFED_BYTES = 65_536
_BYTES_FOR_ONE_ZERO = 20


@dataclass(frozen=True)
class RawFile:
    """One file of a batch.

    Attributes:
        path: where it is on this machine.
        name: its path inside the batch, which messages and the quarantine show.
        format: how it is read.
        extension: with the leading dot, for example ``.csv.gz``.
        number: its place among the files of the batch, from 0.
    """

    path: Path
    name: str
    format: FileFormat
    extension: str
    number: int

    @property
    def is_compressed(self) -> bool:
        """Whether it is a gzip stream."""
        return self.extension.endswith(".gz")

    def open(self) -> IO[bytes]:
        """The content of the file, unpacked."""
        return gzip.open(self.path) if self.is_compressed else self.path.open("rb")  # type: ignore[return-value]


def recognise(path: Path, name: str, number: int, wanted: str) -> RawFile:
    """Tells a file's format from its extension, and checks that its first bytes agree.

    Raises:
        UserError: ``unknown_extension``, ``empty_file`` or ``wrong_file_type``.
    """
    extension = next((end for end in sorted(FORMATS, key=len, reverse=True) if name.lower().endswith(end)), None)
    if name.rpartition("/")[2].lower() == MANIFEST:
        raise UserError(
            f"{name}: the manifest is read only as {MANIFEST} beside the data files, not in a folder or an archive: "
            "move it there, or leave it out",
            code="unknown_extension",
        )
    if extension is None:
        accepted = ", ".join((*FORMATS, ZIP))
        raise UserError(
            f"{name}: the extension says nothing about how to read it; accepted are {accepted}",
            code="unknown_extension",
        )
    file = RawFile(path, name, FORMATS[extension], extension, number)
    content = "gzip" if file.is_compressed else "Parquet" if file.format == "parquet" else ""
    check_signature(path, name, extension, content, wanted)
    return file


def check_signature(path: Path, name: str, extension: str, should_be: str, wanted: str) -> None:
    """Checks that a file's first bytes are those of its format.

    Raises:
        UserError: ``empty_file`` or ``wrong_file_type``.
    """
    if path.stat().st_size == 0:
        raise UserError(f"{name} is empty (0 bytes); {wanted}", code="empty_file")
    with path.open("rb") as stream:
        start = stream.read(max(map(len, _SIGNATURES)))
    is_really = next((what for signature, what in _SIGNATURES.items() if start.startswith(signature)), "")
    if not is_really.startswith(should_be) or (is_really and not should_be):
        found = is_really or "something else"
        raise UserError(f"{name} has the extension {extension} but is {found}; {wanted}", code="wrong_file_type")


def check_content(file: RawFile, encoding: str, wanted: str) -> None:
    """Checks the beginning of a text file; what a Parquet file holds is seen when it is scanned.

    Raises:
        UserError: ``empty_file``, ``wrong_file_type`` or ``corrupt_file``.
    """
    if file.format == "parquet":
        return
    try:
        with file.open() as stream:
            start = stream.read(_SNIFFED_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file.name} is a damaged gzip file: {error}; {wanted}", code="corrupt_file") from error
    if not start.strip():
        raise UserError(f"{file.name} is empty; {wanted}", code="empty_file")
    if _is_binary(start) and not (file.format == "csv" and encoding.startswith(("utf-16", "utf-32"))):
        or_declare = ", or set csv.encoding in the source" if file.format == "csv" else ""
        what = (
            f"UTF-16 text: save it as UTF-8{or_declare}"
            if start.startswith((b"\xff\xfe", b"\xfe\xff"))
            else "a binary file"
        )
        raise UserError(
            f"{file.name} has the extension {file.extension} but is {what}; {wanted}", code="wrong_file_type"
        )


def _is_binary(start: bytes) -> bool:
    """Whether these are no lines of text. A few zero bytes behind the first line cost only the rows that have them."""
    first_line = start.partition(b"\n")[0]
    return b"\x00" in first_line or start.count(b"\x00") * _BYTES_FOR_ONE_ZERO > len(start)
