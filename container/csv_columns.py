"""CSV a column at a time, by pyarrow, where nothing in it takes care: no quotes, no odd ends of lines, no wrong cell.

What pyarrow reads is read alike cell by cell. Where it would not be, or where something must be refused by name, the
answer is None, and ``csv_requests`` reads line by line.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from itertools import product

import numpy as np
import pyarrow as pa
from pyarrow import csv

from container.batch import Batch
from tenant_experience.models.encoding import Encoding

# Spellings of a missing value, in any case and with spaces around them: what pandas, numpy and R write.
MISSING = ("", "nan", "+nan", "-nan", "na", "n/a", "<na>", "null", "none")
# As they are usually written. pyarrow compares them as they are.
_USUAL = sorted({written(each) for each, written in product(MISSING, (str.lower, str.upper, str.capitalize))})
_USUAL += ["NaN", "+NaN", "-NaN"]
# The csv module refuses a longer cell, and what is larger may not fit into 32 bits: both are said by name.
_LONGEST_LINE, _ORDINARY = 100_000, 1e38
# Fewer lines are read more quickly one by one.
FEWEST_LINES = 40


def plain_content(body: bytes) -> bytes | None:
    """The body with ends of lines that are line feeds alone, and without empty lines at its beginning.

    Returns:
        None when it has few lines, or quotes, or anything else that takes care.
    """
    if body.count(b"\n") < FEWEST_LINES:
        return None
    content = body.removeprefix(codecs.BOM_UTF8)
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n")
    if any(each in content for each in (b'"', b"\r", b"\0")):
        return None
    content = content.lstrip(b"\n")
    try:
        content.decode()
    except UnicodeDecodeError:
        return None
    return content if max(map(len, content.split(b"\n"))) <= _LONGEST_LINE else None


def read_columns(content: bytes, names: Sequence[str], encoding: Encoding) -> Batch | None:
    """Reads lines without a header, whose cells are ``names`` in this order; None when one of them takes care."""
    if not content or len(names) < 2:
        return None
    category = pa.dictionary(pa.int32(), pa.string())
    types = {name: category if name in encoding.categories else pa.float64() for name in names}
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            csv.ReadOptions(use_threads=False, block_size=len(content) + 1, column_names=list(names)),
            csv.ParseOptions(quote_char=False),
            csv.ConvertOptions(column_types=types, null_values=_USUAL, strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    values = np.full((len(table), len(encoding.columns)), np.nan, dtype=np.float32)
    unknown: dict[int, list[str]] = {}
    places = dict(zip(encoding.features, encoding.first_columns.tolist(), strict=True))
    for name, column in zip(names, table.itercolumns(), strict=True):
        place, cells = places[name], column.combine_chunks()
        if name in encoding.categories:
            numbers = _numbers(name, cells.dictionary.to_pylist(), encoding)[cells.indices.to_numpy()]
            columns = encoding.of_numbers(name, numbers)
            values[:, place : place + columns.shape[1]] = columns
            for row in np.flatnonzero(numbers == encoding.NEVER_SEEN).tolist():
                unknown.setdefault(row, []).append(name)
        else:
            read = cells.to_numpy(zero_copy_only=False)
            known = ~np.isnan(read)
            if len(read) - known.sum() != cells.null_count or (np.abs(read[known]) > _ORDINARY).any():
                return None
            values[:, place] = read
    return Batch(values, [None] * len(table), unknown_categories=unknown)


def is_missing(cell: str) -> bool:
    """Whether the cell is one of ``MISSING``."""
    return cell.strip().casefold() in MISSING


def _numbers(name: str, values: Sequence[str], encoding: Encoding) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The numbers of different values; a missing one is a value where the category has such a value."""
    return encoding.numbers(
        name, [None if is_missing(value) and not encoding.knows(name, value) else value for value in values]
    )
