"""Text files: their encoding, and the header of a CSV file."""

from __future__ import annotations

import codecs
import csv
import io
import zlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from tenant_experience.errors import UserError
from tenant_experience.intake._zip import BYTES_LIMIT
from tenant_experience.intake.csv_format import LINES_LOOKED_AT, CsvFormat, csv_format, header_advice
from tenant_experience.intake.formats import RawFile
from tenant_experience.use_case.source import Source

_BLOCK_CHARACTERS = 65_536
_BLOCK_BYTES = 1 << 20
_LONGEST_HEADER_BYTES = 1_048_576
_MOST_COLUMNS = 2_000
_UNDECODABLE = "lone_surrogate"


def in_utf8(file: RawFile, encoding: str, path: Path) -> RawFile:
    """Writes a text file to ``path`` again, as UTF-8.

    DuckDB can read other encodings, but gives up the whole file for one wrong byte. Here a byte that cannot be decoded
    becomes bytes that are not UTF-8 either, so that only its own row is quarantined.

    Raises:
        UserError: ``corrupt_file``.
    """
    with io.TextIOWrapper(file.open(), encoding, _UNDECODABLE, newline="") as source, path.open("wb") as target:
        try:
            while text := source.read(_BLOCK_CHARACTERS):
                target.write(text.encode("utf-8", "surrogatepass"))
        except (OSError, EOFError, zlib.error, UnicodeError) as error:
            raise UserError(f"{file.name} cannot be read as {encoding}: {error}", code="corrupt_file") from error
    return replace(file, path=path, extension=file.extension.removesuffix(".gz"))


def _lone_surrogate(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


def unpacked(file: RawFile, path: Path) -> RawFile:
    """Unpacks a gzip file into ``path``, with every checksum and length in it verified.

    DuckDB would verify neither, and does not read all that ``gzip -t`` accepts: several streams, a header with a
    comment or a checksum, or zeros behind the stream.

    Raises:
        UserError: ``corrupt_file``.
    """
    written = 0
    with file.open() as source, path.open("wb") as target:
        try:
            while block := source.read(_BLOCK_BYTES):
                written += target.write(block)
                if written > BYTES_LIMIT:
                    raise UserError(
                        f"{file.name} unpacks to more than {BYTES_LIMIT} bytes: send it as several files",
                        code="corrupt_file",
                    )
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(
                f"{file.name} is a damaged {file.extension} file, so none of its rows can be trusted: {error}",
                code="corrupt_file",
            ) from error
    return replace(file, path=path, extension=file.extension.removesuffix(".gz"))


def with_line_feeds(file: RawFile, path: Path) -> RawFile:
    """Writes a text file to ``path`` again, with a line feed at the end of each line.

    DuckDB gives up a whole file for one carriage return outside quotes. In CSV, a carriage return that ends no line
    becomes a control character, which costs its row where a rule applies to it. In JSON it is space.
    """
    lone = b"\x0b" if file.format == "csv" else b" "
    held = b""
    with file.open() as source, path.open("wb") as target:
        while block := source.read(_BLOCK_BYTES):
            block = held + block
            held = b"\r" if block.endswith(b"\r") else b""
            target.write(block[: len(block) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", lone))
    return replace(file, path=path)


codecs.register_error(_UNDECODABLE, _lone_surrogate)


@dataclass(frozen=True)
class CsvHeader:
    """The header of a CSV file.

    Attributes:
        names: the column names, trimmed and distinct.
        lines: how many lines it takes: a quoted name may have line breaks.
        format: how the file is written.
        advice: what to write into the source, where the header lacks a column and another line would be one.
    """

    names: list[str]
    lines: int
    format: CsvFormat
    advice: str


def read_csv_header(file: RawFile, source: Source) -> CsvHeader:
    """The column names of a CSV file, trimmed and distinct: an empty or repeated name is replaced by ``(column 3)``.

    Args:
        file: a CSV file.
        source: says how it is written, and which names are read; upper and lower case are the same.

    Raises:
        UserError: ``wrong_encoding`` when the header is not UTF-8, ``corrupt_file`` when it is not a line of CSV or is
            far too long, ``duplicate_column`` when it has a wanted name twice.
    """
    try:
        with file.open() as stream:
            for _ in range(source.csv.skip_lines):
                stream.readline()
            text, written = _header_record(stream, file.extension, source)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file.name}: the header is not UTF-8: write the file's encoding in the source, such as "
            "csv: {encoding: cp1252}, or save the file as UTF-8",
            code="wrong_encoding",
        ) from error
    try:
        names = [name.strip() for name in written.cells(text)]
    except csv.Error as error:
        raise UserError(
            f"{file.name}: the header cannot be split into columns: save the file with a header line, and "
            f"with a line feed at the end of each line{_advice(file, written, source)}",
            code="corrupt_file",
        ) from error
    if len(names) > _MOST_COLUMNS:
        raise UserError(
            f"{file.name}: the header has {len(names)} columns; at most {_MOST_COLUMNS} are read: check that the first "
            "line is a header and ends with a line feed",
            code="corrupt_file",
        )
    require_once(file, names, source.raw_columns())
    lowered = {name.lower() for name in (*names, *source.optional)}
    lacks = [raw for raw in source.raw_columns() if raw.lower() not in lowered]
    advice = _advice(file, written, source) if lacks else ""
    return CsvHeader(_distinct(names), max(text.count("\n"), 1), written, advice)


def _advice(file: RawFile, written: CsvFormat, source: Source) -> str:
    with file.open() as stream:
        first = [stream.readline(_LONGEST_HEADER_BYTES).decode("utf-8", "replace") for _ in range(LINES_LOOKED_AT)]
    return header_advice(first, written, source)


def _header_record(stream: IO[bytes], extension: str, source: Source) -> tuple[str, CsvFormat]:
    """The first record of a CSV file, to which lines are added until every quote is closed; and how it is written."""
    record = stream.readline(_LONGEST_HEADER_BYTES)
    written = csv_format(extension, record.decode("utf-8-sig", "replace"), source)
    while written.has_open_quote(record.decode("latin-1")) and len(record) < _LONGEST_HEADER_BYTES:
        line = stream.readline(_LONGEST_HEADER_BYTES - len(record))
        if not line:
            break
        record += line
    return record.decode("utf-8-sig"), written


def require_once(file: RawFile, names: list[str], wanted: Collection[str]) -> None:
    """Checks that the header has no wanted column twice. The message shows no other name, which may be personal data.

    Raises:
        UserError: ``duplicate_column``.
    """
    lowered = [name.lower() for name in names]
    repeated = next((name for name in wanted if lowered.count(name.lower()) > 1), None)
    if repeated:
        raise UserError(f"{file.name}: the header has column {repeated!r} more than once", code="duplicate_column")


def _distinct(names: list[str]) -> list[str]:
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
