"""Erases a tenant from CSV and JSON lines; every other record stays as it was, byte for byte."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, product, repeat
from typing import IO

from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.intake.csv_format import CsvFormat
from tenant_experience.intake.json_array import array_entries

_RECORDS = 20_000
# A quote that is not closed within this many characters is taken as a stray one, and its line as a record of its own.
_LONGEST_RECORD = 2_000_000
csv.field_size_limit(_LONGEST_RECORD)

_Key = tuple[str | None, ...]
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass(frozen=True)
class _Record:
    """One record as it is written in the file.

    Attributes:
        text: the record with its line end.
        keys: what the tenant's id may be made from. For a record, the values of the columns it is made from; for a line
            that does not have the file's shape, and so no columns, each of its values.
        is_whole: whether it has the file's shape.
        values: its texts as they are meant, where they are known: JSON writes a line feed as a letter, for example.
    """

    text: str
    keys: Sequence[_Key]
    is_whole: bool = True
    values: Sequence[str] | None = None


def erase_csv(
    lines: Iterable[str],
    write: Callable[[str], object],
    erased: ErasedId,
    mapping: RawMapping,
    extension: str = ".csv",
) -> Counts:
    """Copies a CSV file without the tenant's records.

    Args:
        lines: the lines of the file, each with its line end.
        write: receives what stays. Of a line before the header that names the id, the line end stays.
        erased: records that name the id in any value are removed as well.
        mapping: how the file's records map to the tenant.
        extension: of the file.
    """
    iterator = iter(lines)
    before = list(islice(iterator, mapping.skip_lines))
    named = [erased.is_distinctive and erased.is_in_line(line) for line in before]
    for line, is_named in zip(before, named, strict=True):
        write(line[len(line.rstrip("\r\n")) :] if is_named else line)
    header = next(iterator, "")
    written = mapping.csv_format(extension, header)
    names = [name.strip() for name in _cells(header.lstrip("\ufeff"), written)]
    write(header)
    counts = _copy(_csv_records(iterator, names, mapping, written), write, erased, mapping)
    counts.removed += sum(named)
    return counts


def erase_json_lines(
    lines: Iterable[str], write: Callable[[str], object], erased: ErasedId, mapping: RawMapping
) -> Counts:
    """Copies JSON lines without the tenant's records. The arguments are those of ``erase_csv``."""
    return _copy((_json_record(line, mapping.columns) for line in lines), write, erased, mapping)


@dataclass
class Counts:
    """How many records were removed, and how many were kept."""

    removed: int = 0
    kept: int = 0


def _copy(records: Iterator[_Record], write: Callable[[str], object], erased: ErasedId, mapping: RawMapping) -> Counts:
    counts = Counts()
    while chunk := list(islice(records, _RECORDS)):
        mapped = iter(mapping.are_tenants([key for record in chunk for key in record.keys]))
        for record in chunk:
            is_tenants = (
                sum(next(mapped) for _ in record.keys) > 0
            )  # sum, not any: it must consume all keys of this record
            if is_tenants or _mentions(record, erased):
                counts.removed += 1
            else:
                write(record.text)
                counts.kept += bool(record.text.strip())
    return counts


def _mentions(record: _Record, erased: ErasedId) -> bool:
    """Whether a record names the id outside the columns of the id."""
    if record.is_whole and not erased.is_distinctive:
        return False
    return any(map(erased.is_in_line, (record.text,) if record.values is None else record.values))


def erase_json_array(stream: IO[str], write: Callable[[str], object], erased: ErasedId, mapping: RawMapping) -> Counts:
    """Copies an array of JSON objects without the tenant's. Each that stays is in a line of its own.

    Raises:
        NoArrayError: it is damaged; what was written is to be thrown away.
    """
    separators = chain(["[\n"], repeat(",\n"))

    def write_entry(text: str) -> None:
        write(next(separators))
        write(text)

    counts = _copy(
        (_json_record(text, mapping.columns) for text in array_entries(stream)), write_entry, erased, mapping
    )
    write("\n]\n" if counts.kept else "[]\n")
    return counts


def _csv_records(lines: Iterator[str], names: list[str], mapping: RawMapping, written: CsvFormat) -> Iterator[_Record]:
    lowered = [name.lower() for name in names]
    places = [lowered.index(name.lower()) if name.lower() in lowered else None for name in mapping.columns]
    for text in _whole_records(lines, written, len(names)):
        cells = _cells(text, written)
        if len(cells) == len(names):
            yield _Record(text, [tuple(None if place is None else cells[place] for place in places)])
        else:
            yield _shapeless(text, text.rstrip("\r\n").split(written.delimiter), mapping.columns)


def _whole_records(lines: Iterator[str], written: CsvFormat, width: int) -> Iterator[str]:
    """Lines, joined where a quoted value continues on the next line."""
    waiting: list[str] = []
    while True:
        line = waiting.pop() if waiting else next(lines, None)
        if line is None:
            return
        if not written.has_open_quote(line):
            yield line
            continue
        joined, more = [line], True
        while more and sum(map(len, joined)) < _LONGEST_RECORD:
            following = waiting.pop() if waiting else next(lines, None)
            if following is None:
                break
            joined.append(following)
            more = not written.has_open_quote(following)
        if not more and len(_cells("".join(joined), written)) == width:
            yield "".join(joined)
        else:
            yield line
            waiting += reversed(joined[1:])


def _cells(text: str, written: CsvFormat) -> Sequence[str]:
    if not written.quote or written.quote not in text:
        return text.rstrip("\r\n").split(written.delimiter)
    try:
        return written.cells(text, strict=True)
    except csv.Error:
        return ()


class _Object(dict[str, object]):
    """A JSON object that also knows what else stands behind a key that it has twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _json_record(line: str, columns: tuple[str, ...]) -> _Record:
    try:
        document = json.loads(line, object_pairs_hook=_Object)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, _Object):
        return _shapeless(line, _QUOTED.findall(line), columns)
    found: dict[str, list[str | None]] = {}
    for key, value in document.pairs:
        found.setdefault(key.lower(), []).append(_json_text(value))
    # A line that has a key twice is quarantined, and is about each tenant whom one of the values means.
    keys = list(product(*(found.get(column.lower(), [None]) for column in columns)))
    return _Record(line, keys, values=list(_texts(document)))


def _texts(value: object) -> Iterator[str]:
    """Every key and value within a value of JSON."""
    if isinstance(value, _Object):
        for key, inner in value.pairs:
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)


def _shapeless(text: str, values: Sequence[str], columns: tuple[str, ...]) -> _Record:
    """A line that is no record. Its values are tried one by one when the id is made from a single column."""
    return _Record(text, [(value.strip().strip('"'),) for value in values] if len(columns) == 1 else [], is_whole=False)


def _json_text(value: object) -> str | None:
    """A value as DuckDB's ``json_extract_string`` returns it."""
    return value if isinstance(value, str) or value is None else json.dumps(value)


def text_lines(stream: IO[str]) -> Iterator[str]:
    """The lines of a stream that was opened with ``newline=''``; only line feeds end a line."""
    pending = ""
    for part in iter(lambda: stream.read(1 << 20), ""):
        *whole, pending = (pending + part).split("\n")
        for line in whole:
            yield line + "\n"
    if pending:
        yield pending
