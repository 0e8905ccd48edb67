"""How the CSV files of a source are written: what separates and quotes values, and which line is the header.

The source says it. Only the delimiter of ``.tsv`` is a tab whatever the source says, if the header has the columns that
are read then; and of ``.txt`` any is tried by which the header has them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tenant_experience.use_case.source import Source

# How many lines of a file are looked at to find its header when the first is none.
LINES_LOOKED_AT = 20
_DELIMITERS = {",": ",", ";": ";", "\t": "\\t", "|": "|"}
_QUOTES = ('"', "'")


@dataclass(frozen=True)
class CsvFormat:
    """How one CSV file is written.

    Attributes:
        delimiter: one character.
        quote: one character, or the empty text where no value is quoted.
        skip_lines: how many lines stand before the header.
    """

    delimiter: str
    quote: str
    skip_lines: int

    def cells(self, record: str, *, strict: bool = False) -> list[str]:
        """The values of one record; ``strict`` refuses more records that are not written as they should be.

        Raises:
            csv.Error: it is no record of this format.
        """
        lines = [record] if strict else io.StringIO(record)
        if not self.quote:
            return next(csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE), [])
        return next(csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=strict), [])

    def has_open_quote(self, text: str) -> bool:
        """Whether a quoted value goes on behind the end of the text."""
        return bool(self.quote) and text.count(self.quote) % 2 > 0


def csv_format(extension: str, header: str, source: Source) -> CsvFormat:
    """How a file is written.

    Args:
        extension: of the file, such as ``.tsv``.
        header: the first line after those that the source skips.
        source: whose file it is.
    """
    told = source.csv.delimiter
    match extension.removesuffix(".gz"):
        case ".tsv":
            tried = ["\t", told or "\t"]
        case ".txt":
            tried = [told or ",", *_DELIMITERS]
        case _:
            tried = [told or ","]
    formats = [CsvFormat(delimiter, source.csv.quote, source.csv.skip_lines) for delimiter in tried]
    return next((each for each in formats if _has_all(header, each, source)), formats[0])


def header_advice(lines: Sequence[str], used: CsvFormat, source: Source) -> str:
    """What to write into the source, where one of a file's first lines would then be a header with all its columns.

    Args:
        lines: the first lines of the file.
        used: the format in which the header lacks a column.
        source: says which columns are read.

    Returns:
        A sentence that begins with a full stop, or nothing.
    """
    for place, line in enumerate(lines[:LINES_LOOKED_AT]):
        for delimiter in (used.delimiter, *_DELIMITERS):
            for quote in (used.quote, *_QUOTES):
                tried = CsvFormat(delimiter, quote, place)
                if tried != used and _has_all(line, tried, source):
                    return _advice(tried, used)
    return ""


def _advice(right: CsvFormat, used: CsvFormat) -> str:
    keys = {
        "skip_lines": str(right.skip_lines) if right.skip_lines != used.skip_lines else "",
        "delimiter": f'"{_DELIMITERS.get(right.delimiter, "")}"' if right.delimiter != used.delimiter else "",
        "quote": f'"{right.quote}"'.replace('"""', "'\"'") if right.quote != used.quote else "",
    }
    wanted = ", ".join(f"{key}: {value}" for key, value in keys.items() if value)
    return f". Line {right.skip_lines + 1} would be a header with all of them: write csv: {{{wanted}}} in the source"


def _has_all(line: str, tried: CsvFormat, source: Source) -> bool:
    """Whether a line, read in a format, is a header with every column that the source must have."""
    try:
        found = {name.strip().lower() for name in tried.cells(line.removeprefix("\ufeff"))}
    except csv.Error:
        return False
    return set(_lowered(source.raw_columns())) - set(_lowered(source.optional)) <= found


def _lowered(names: Iterable[str]) -> list[str]:
    return [name.lower() for name in names]
