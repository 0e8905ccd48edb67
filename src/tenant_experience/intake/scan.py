"""One raw file as a SQL query that gives our columns, not yet checked: the result is the same for all formats."""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session, files go by our own link names
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.intake._column_types import NO_VALUES, physical_types, readable_types
from tenant_experience.intake._json_keys import json_keys
from tenant_experience.intake._text import in_utf8, read_csv_header, require_once
from tenant_experience.intake.csv_format import CsvFormat
from tenant_experience.intake.duckdb_session import identifier, literal
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.mapping import RowMapping
from tenant_experience.use_case.source import Source
from tenant_experience.use_case.source_expression import WHERE, is_plain_column

# How data frames and databases write that there is no value. With them, a missing value is the same in every format
# and column. Words that a person or a thing may be called, such as Null, NA or none, must be declared by the source.
MISSING = ("NaN", "nan", "NAN", "-nan", "NaT", "None", "NULL", "null", "<NA>")
_FEW_COLUMNS = 200
# A line of a note may well have two or three commas; with fewer columns, a line inside a value is not taken for a row.
_COLUMNS_OF_ROWS = 5
_OF_THE_ROW = "malformed, repeats_key, swallows_rows, newlines"
# The path of our own link to a file, as it appears in DuckDB's messages.
_PATH = re.compile(r"/\S*/\d{6}\.[a-z.]+[a-z]")
# What is in the file is personal data, so no message shows it.
_QUOTED_VALUE = re.compile(r"\b(value|string|text) \".*\"", re.DOTALL)


@dataclass(frozen=True)
class Scan:
    """How to read one file.

    Attributes:
        file: the file.
        mapped: a SELECT of ``raw_<column>`` for each column of the source, of any type. It is null where the column's
            expression failed; ``failed_<column>`` is then true (a plain column cannot fail and has none).
            ``raw_where`` and ``failed_where`` are the same for the filter: true and false when the source has none.
            ``malformed``: the line is no record at all; ``repeats_key``: it is one, in which a key that is read stands
            twice; ``swallows_rows``: a value holds lines that look like rows. ``newlines``: how many line breaks are
            inside its values.
        header_lines: how many lines of the file its header takes.
        skipped_lines: how many lines stand before the header.
        rejects: the table in which DuckDB lists the lines that it cannot split into columns; None for Parquet.
    """

    file: RawFile
    mapped: str
    rejects: str | None
    header_lines: int
    skipped_lines: int = 0

    @contextmanager
    def errors_as_refusals(self) -> Iterator[None]:
        """Turns DuckDB's errors while the rows are read into errors that name the file.

        Raises:
            UserError: ``invalid_source`` when an expression does not fit the file, ``corrupt_file`` when it is damaged.
        """
        try:
            yield
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise UserError(
                f"a column expression of the source does not fit {self.file.name}: {str(error).splitlines()[0]}",
                code="invalid_source",
            ) from error
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            # For a damaged Parquet file DuckDB raises errors of many kinds, often just the general one.
            is_damage = isinstance(error, duckdb.IOException | duckdb.InvalidInputException)
            if self.file.format != "parquet" and not is_damage:
                raise
            raise _corrupt(self.file, error) from error


@dataclass(frozen=True)
class _Rows:
    """A table expression over one file: its columns with their types, and SQL for a scan's extra columns."""

    types: dict[str, str]
    table: str
    malformed: str = "false"
    repeats_key: str = "false"
    swallows: str = "false"
    newlines: str = "0"
    header_lines: int = 0
    skipped_lines: int = 0
    advice: str = ""


def scan_file(connection: duckdb.DuckDBPyConnection, file: RawFile, mapping: RowMapping, scratch: Path) -> Scan:
    """Plans how a file is read.

    The file is linked into ``scratch`` under a plain name. Its own name never enters SQL, where ``*``, ``?`` and ``[``
    would be patterns.

    Raises:
        UserError: ``missing_column``, ``duplicate_column``, ``wrong_column_type``, ``wrong_encoding`` or
            ``corrupt_file``.
    """
    source = mapping.source
    if file.format == "csv" and source.csv.encoding != "utf-8":
        file = in_utf8(file, source.csv.encoding, scratch / f"{file.number:06d}.utf8.csv")
    link = scratch / f"{file.number:06d}{file.extension}"
    link.unlink(missing_ok=True)
    link.symlink_to(file.path.resolve())
    rejects = None if file.format == "parquet" else f"rejects_{file.number}"
    match file.format:
        case "parquet":
            rows = _parquet_rows(connection, file, link, mapping)
        case "csv":
            rows = _csv_rows(file, link, source, rejects)
        case "jsonl":
            rows = _json_rows(file, link, rejects, mapping)
        case _:
            assert_never(file.format)
    _require_columns(file, mapping, list(rows.types), rows.advice)
    selected = ", ".join(tidied(raw, rows.types, source.null_markers) for raw in source.raw_columns())
    mapped = source.columns | {WHERE: f"CAST((\n{source.where or 'true'}\n) AS BOOLEAN)"}
    attempts = ", ".join(_attempt(ours, expression) for ours, expression in mapped.items())
    results = ", ".join(_result(ours, expression) for ours, expression in mapped.items())
    return Scan(
        file,
        f"SELECT {results}, {_OF_THE_ROW} FROM (SELECT {attempts}, {_OF_THE_ROW} FROM "
        f"(SELECT {selected}, {rows.malformed} AS malformed, {rows.repeats_key} AS repeats_key, "
        f"{rows.swallows} AS swallows_rows, {rows.newlines} AS newlines FROM {rows.table}))",
        rejects,
        rows.header_lines,
        rows.skipped_lines,
    )


def _csv_rows(file: RawFile, link: Path, source: Source, rejects: str | None) -> _Rows:
    header = read_csv_header(file, source)
    names, written = header.names, header.format
    quote = literal(written.quote)
    quoting = f"delim = {literal(written.delimiter)}, quote = {quote}, escape = {quote}, header = true"
    row = f"concat({', '.join(map(identifier, names))})"
    # Each mention of a column takes memory, so the row is mentioned once.
    breaks = f"len(regexp_replace({row}, '[^\\n]', '', 'g'))"
    # Few rows have a line break, and looking for one is much cheaper than counting them. It takes memory for each
    # column, which a file with very many columns does not leave.
    found = _balanced([f"contains({identifier(name)}, chr(10))" for name in names], "OR")
    is_narrow = 0 < len(names) <= _FEW_COLUMNS
    return _Rows(
        dict.fromkeys(names, "VARCHAR"),
        _read_csv(link, names, f"{quoting}, skip = {written.skip_lines}", rejects),
        swallows=f"CASE WHEN {found} THEN {_holds_rows(row, len(names), written)} ELSE false END"
        if is_narrow and len(names) >= _COLUMNS_OF_ROWS
        else "false",
        newlines="0" if not names else f"CASE WHEN {found} THEN {breaks} ELSE 0 END" if is_narrow else breaks,
        header_lines=header.lines,
        skipped_lines=written.skip_lines,
        advice=header.advice,
    )


def _holds_rows(row: str, columns: int, written: CsvFormat) -> str:
    """SQL: whether a line inside a value has as many delimiters as a row: a quote was not closed until a later one."""
    delimiter = re.escape(written.delimiter)
    value = rf"[^\n{delimiter}]*"
    line = rf"\n{value}({delimiter}{value}){{{columns - 1}}}(\n|$)"
    return f"regexp_matches({row}, {literal(line)})"


def _balanced(terms: list[str], operator: str) -> str:
    """The terms joined as a balanced tree: a file may have more columns than the 1,000 levels that DuckDB can nest."""
    if len(terms) < 2:
        return "".join(terms)
    half = len(terms) // 2
    return f"({_balanced(terms[:half], operator)} {operator} {_balanced(terms[half:], operator)})"


def _json_rows(file: RawFile, link: Path, rejects: str | None, mapping: RowMapping) -> _Rows:
    keys = dict.fromkeys(json_keys(file, mapping), "VARCHAR")
    # This delimiter does not occur in text, so each line stays whole.
    lines = _read_csv(link, ["line"], "delim = '\x01', quote = '', escape = '', header = false", rejects)
    # Keys that are not read may be anything, so they never enter SQL.
    read = {raw.lower() for raw in mapping.source.raw_columns()}
    wanted = [key for key in keys if key.lower() in read]
    pointers = ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in wanted)
    record = "CASE WHEN json_valid(line) THEN line END"
    parsed = f"SELECT line, coalesce(json_type({record}) <> 'OBJECT', true) AS is_malformed, " + (
        f"json_extract_string({record}, [{pointers}]) AS found, json_type({record}, [{pointers}]) AS types, "
        # Upper and lower case are the same in the names of columns.
        f"json_keys(lower({record})) AS names FROM {lines} WHERE line IS NOT NULL"
    )
    columns = ", ".join(
        f"{_as_written(key, f'found[{place}]', f'types[{place}]')} AS {identifier(key)}"
        for place, key in enumerate(wanted, start=1)
    )
    read_names = f"list_filter(names, lambda name: name IN ({', '.join(literal(name) for name in sorted(read))}))"
    # Keys that are not read may stand twice, as columns of a CSV file may.
    repeats = (
        f"CASE WHEN len(names) > len(list_distinct(names)) THEN len({read_names}) > len(list_distinct({read_names})) "
    )
    repeats += "ELSE false END"
    return _Rows(
        keys,
        f"(SELECT {columns}, is_malformed, NOT is_malformed AND {repeats} AS is_repeated FROM ({parsed}))",
        malformed="is_malformed",
        repeats_key="is_repeated",
    )


def _as_written(key: str, found: str, kind: str) -> str:
    """SQL for a value of a JSON line as text: of a number with decimals, the digits that the file has, as in CSV.

    DuckDB writes 123.50 as 123.5. Where the line has the key at several depths, its number cannot be told apart by
    looking, so DuckDB's text stays.
    """
    pattern = re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:\s*(-?[0-9][0-9.eE+\-]*)"
    numbers = f"regexp_extract_all(line, {literal(pattern)}, 1)"
    written = f"CASE WHEN len({numbers}) = 1 THEN {numbers}[1] ELSE {found} END"
    return f"CASE WHEN {kind} = 'DOUBLE' THEN {written} ELSE {found} END"


def _read_csv(link: Path, names: list[str], quoting: str, rejects: str | None) -> str:
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({literal(str(link))}, columns = {{{columns}}}, {quoting}, auto_detect = false, nullstr = '', "
        "compression = 'none', ignore_errors = true, "
        f"store_rejects = true, rejects_table = '{rejects}', rejects_scan = '{rejects}_scan', rejects_limit = 0)"
    )


def _parquet_rows(connection: duckdb.DuckDBPyConnection, file: RawFile, link: Path, mapping: RowMapping) -> _Rows:
    table = f"read_parquet({literal(str(link))})"
    try:
        types = physical_types(connection, table, link)
        nodes = connection.execute(f"SELECT name, num_children FROM parquet_schema({literal(str(link))})").fetchall()
    except duckdb.Error as error:
        raise _corrupt(file, error) from error
    # DuckDB renames the second of two columns with the same name, so the names are taken from the file's own schema.
    require_once(file, _top_level(nodes), mapping.source.raw_columns())
    try:
        readable = readable_types(connection, file, table, types, mapping.source, mapping.meanings)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise _corrupt(file, error) from error
    return _Rows(readable, table)


def _top_level(nodes: list[tuple[str, int | None]]) -> list[str]:
    """The names of the columns, from a Parquet schema: its nodes depth first, each with its number of children."""
    names, within = [], 0
    for name, children in nodes[1:]:
        if within == 0:
            names.append(name)
        within += (children or 0) - (1 if within else 0)
    return names


def _corrupt(file: RawFile, error: Exception) -> UserError:
    """The error for a file whose bytes are damaged."""
    said = _QUOTED_VALUE.sub(r"a \1", str(error)).splitlines()[0]
    first_line = _PATH.sub(file.name.replace("\\", "\\\\"), said)
    return UserError(
        f"{file.name} is a damaged {file.extension} file, so none of its columns can be trusted: {first_line}",
        code="corrupt_file",
    )


def _require_columns(file: RawFile, mapping: RowMapping, present: list[str], advice: str) -> None:
    source = mapping.source
    header = "\n".join(present).lower()
    if not any(raw.lower() in header for raw in source.raw_columns()):
        # Without a header line these "names" would be personal data, so the message does not show them.
        wanted = ", ".join(source.raw_columns())
        raise UserError(
            f"{file.name} has none of the columns that are read ({wanted}): check that its first line is a header, "
            f"and that this is the right source for it{advice}",
            code="missing_column",
        )
    found = {name.lower() for name in present}
    optional = {name.lower() for name in source.optional}
    for raw, ours in source.raw_columns().items():
        if raw.lower() not in found | optional:
            # Other names are not shown: they are personal data when a header is torn, or when JSON is called CSV.
            has = [name for name in source.raw_columns() if name.lower() in found]
            raise UserError(
                f"{file.name} has no column {raw!r}, from which {ours} is read. Of the columns that are read it has "
                f"{', '.join(has) or 'none (check the delimiter)'}, and {len(present) - len(has)} other columns"
                + (f". {mapping.advice[ours]}" if ours in mapping.advice else "")
                + advice,
                code="missing_column",
            )


def tidied(raw: str, types: dict[str, str], null_markers: list[str]) -> str:
    """SQL for one column of a file as expressions see it: trimmed; null when missing, blank, NaN or a null marker.

    A time that DuckDB cannot convert, which would end the query, becomes infinity, which no rule accepts.
    """
    kinds = {name.lower(): kind for name, kind in types.items()}
    kind = kinds.get(raw.lower())
    name = identifier(raw)
    if kind is None or kind == NO_VALUES:
        return f"CAST(NULL AS VARCHAR) AS {name}"
    if kind in ("FLOAT", "DOUBLE"):
        # Not isnan: from the minimum and maximum in a Parquet file, which never are NaN, DuckDB concludes that none is.
        return f"CASE WHEN CAST({name} AS VARCHAR) <> 'nan' THEN {name} END AS {name}"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        in_range = f"{name} BETWEEN CAST('1700-01-01' AS {kind}) AND CAST('2250-01-01' AS {kind})"
        return f"CASE WHEN {in_range} THEN {name} WHEN {name} IS NOT NULL THEN CAST('infinity' AS {kind}) END AS {name}"
    if kind != "VARCHAR":
        return name
    # One text to search in, not IN: for a list, DuckDB joins each row with it. No marker holds a line break, and a
    # value with one could be found across two markers.
    missing = (*MISSING, *null_markers)
    absent = literal("\n".join(("", "", *missing, "")))
    is_missing = f"contains({absent}, chr(10) || trim({name}) || chr(10))"
    tidied = f"CASE WHEN NOT {is_missing} OR contains({name}, chr(10)) THEN trim({name}) END"
    # Most texts are tidy, and seeing that must cost next to nothing. The empty text and all texts that begin with a
    # space sort before '!', and a space outside ASCII takes more than one byte.
    longest = max(len(text.encode()) for text in missing)
    is_untidy = f"{name} < '!' OR ends_with({name}, ' ') OR strlen({name}) <> length({name})"
    return (
        f"CASE WHEN strlen({name}) <= {longest} THEN {tidied} WHEN {is_untidy} THEN {tidied} ELSE {name} END AS {name}"
    )


def _attempt(ours: str, expression: str) -> str:
    if is_plain_column(expression):
        return f"{expression} AS raw_{ours}"
    # The value is put into a list: a null list means that the expression failed, a list with a null that it gave null.
    return f"TRY([(\n{expression}\n)]) AS attempt_{ours}"


def _result(ours: str, expression: str) -> str:
    if is_plain_column(expression):
        return f"raw_{ours}"
    value = f"attempt_{ours}[1]"
    is_nan = f"typeof({value}) IN ('FLOAT', 'DOUBLE') AND CAST({value} AS VARCHAR) = 'nan'"
    return f"CASE WHEN NOT ({is_nan}) THEN {value} END AS raw_{ours}, attempt_{ours} IS NULL AS failed_{ours}"
