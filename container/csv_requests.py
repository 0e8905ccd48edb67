"""``text/csv`` to a batch: a column at a time, or line by line where something takes care or must be refused."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

import numpy as np

from container.batch import Batch, float32, refuse_infinite, text_of
from container.csv_columns import is_missing, plain_content, read_columns
from container.serving_errors import BadRequestError
from tenant_experience.models.encoding import Encoding, Matrix


def read_csv(body: bytes, encoding: Encoding) -> Batch:
    """Reads rows in the model's order of features, or in the order of a header line of their names.

    A cell of ``csv_columns.MISSING`` is missing; in the column of a category only where the category has no such value.
    An empty line is a row where a row is one cell; where a row has several, it is skipped.

    Raises:
        BadRequestError: naming the line, counted from 1, and the column.
    """
    return read_together(body, encoding) or read_by_line(body, encoding)


def read_together(body: bytes, encoding: Encoding) -> Batch | None:
    """Reads a column at a time; None when the body must be read line by line."""
    content = plain_content(body)
    if content is None:
        return None
    first, _, others = content.partition(b"\n")
    order = _header(first.decode().split(","), encoding)
    return read_columns(content if order is None else others, order or encoding.features, encoding)


def read_by_line(body: bytes, encoding: Encoding) -> Batch:
    """Reads any body, or refuses it, as ``read_csv``."""
    try:
        rows = list(csv.reader(io.StringIO(text_of(body), newline=""), strict=True))
    except csv.Error as error:
        raise BadRequestError(f"the body is not CSV: {error}") from error
    if len(encoding.features) > 1:
        rows = rows[next((place for place, cells in enumerate(rows) if cells), len(rows)) :]
    order = _header(rows[0], encoding) if rows else None
    first_line = 1
    if order is not None:
        rows, first_line = rows[1:], 2
    names = encoding.features if order is None else order
    rows = [cells or [""] for cells in rows] if len(names) == 1 else [cells for cells in rows if cells]
    if not rows:
        return Batch(np.empty((0, len(encoding.columns)), dtype=np.float32), [])
    unknown: dict[int, list[str]] = {}
    if encoding.categories:
        values = _mixed(rows, names, encoding, first_line, unknown)
        refuse_infinite(values, encoding.columns, "line", first_line)
    else:
        values = np.empty((len(rows), len(names)), dtype=np.float32)
        for row, cells in enumerate(rows):
            values[row] = _numbers(cells, names, row + first_line)
        refuse_infinite(values, names, "line", first_line)
        if order is not None:
            arranged = np.full((len(rows), len(encoding.features)), np.nan, dtype=np.float32)
            arranged[:, [encoding.features.index(name) for name in order]] = values
            values = arranged
    return Batch(values, [None] * len(rows), unknown_categories=unknown)


def _mixed(
    rows: list[list[str]], names: Sequence[str], encoding: Encoding, first_line: int, unknown: dict[int, list[str]]
) -> Matrix:
    """Numbers and categories, as the encoding arranges them."""
    places = dict(zip(encoding.features, encoding.first_columns.tolist(), strict=True))
    numbers = [place for place, name in enumerate(names) if name not in encoding.categories]
    number_names = [names[place] for place in numbers]
    columns = [places[name] for name in number_names]
    values = np.full((len(rows), len(encoding.columns)), np.nan, dtype=np.float32)
    for row, cells in enumerate(rows):
        _right_width(cells, names, row + first_line)
        values[row, columns] = _numbers([cells[place] for place in numbers], number_names, row + first_line)
        for name, cell in zip(names, cells, strict=True):
            if name in encoding.categories and (encoding.knows(name, cell) or not is_missing(cell)):
                known = encoding.values(name, cell)
                values[row, places[name] : places[name] + len(known)] = known
                if not encoding.knows(name, cell):
                    unknown.setdefault(row, []).append(name)
    return values


def _header(cells: list[str], encoding: Encoding) -> Sequence[str] | None:
    """The feature names of a header line, or None when the line is data."""
    names = [cell.strip() for cell in cells]
    if all(_is_number(name) for name in names):
        return None
    unknown = [name for name in names if name not in encoding.features]
    # A category's value may equal a feature's name, so with categories only a line of names alone is a header.
    if len(unknown) == len(names) or (unknown and encoding.categories):
        return None  # data; if it is wrong, it is refused later with its line and column
    if unknown:
        known = ", ".join(encoding.features)
        raise BadRequestError(f"line 1: unknown feature {', '.join(unknown)[:200]}; the model knows {known}")
    if len(set(names)) != len(names):
        raise BadRequestError("line 1: a feature is repeated")
    return names


def _number(cell: str) -> float:
    """The number in a cell, NaN when it is missing.

    Raises:
        ValueError: it is neither. Python also reads ``1_000`` and digits of other scripts, which no CSV means.
    """
    if not cell or is_missing(cell):
        return math.nan
    if "_" in cell or not cell.isascii():
        raise ValueError(cell)
    return float32(float(cell))


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _right_width(cells: list[str], names: Sequence[str], line: int) -> None:
    if len(cells) != len(names):
        raise BadRequestError(f"line {line}: {len(cells)} cells instead of {len(names)}: {', '.join(names)}")


def _numbers(cells: list[str], names: Sequence[str], line: int) -> list[float]:
    _right_width(cells, names, line)
    try:
        return [_number(cell) for cell in cells]
    except ValueError:
        column, cell = next((name, cell) for name, cell in zip(names, cells, strict=True) if not _is_number(cell))
        raise BadRequestError(f"line {line}: {column} is {cell[:40]!r}, neither a number nor missing") from None
