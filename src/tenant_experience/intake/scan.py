"""One raw file as a SQL query that yields our columns, still unchecked: all formats come out the same."""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session, files go by our own link names
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.intake.duckdb_session import identifier, literal
from tenant_experience.intake.files import RawFile, in_utf8, read_csv_header, require_once
from tenant_experience.use_case.source import WHERE, Source
from tenant_experience.use_case.source_expression import is_plain_column

_JSON_LINES_SAMPLED = 1_000
_IDS = ("event_id", "tenant_id", "portfolio_id")
# Our own link to a file, as DuckDB's messages spell it.
_PATH = re.compile(r"/\S*/\d{6}\.[a-z.]+[a-z]")


@dataclass(frozen=True)
class Scan:
    """How to read one file.

    Attributes:
        file: the file.
        mapped: a SELECT of ``raw_<column>`` for each column of the source, of any type, null when its expression
            failed (then ``failed_<column>``; plain columns have none); of ``raw_where`` and ``failed_where`` likewise,
            true where the source has no filter; of ``malformed`` (the line is no record at all) and ``newlines`` (line
            breaks inside the record's values).
        rejects: the table in which DuckDB notes the lines that do not split into columns; None for Parquet.
    """

    file: RawFile
    mapped: str
    rejects: str | None


@dataclass(frozen=True)
class _Rows:
    """A table expression over one file: its columns with their types, and the two extra columns of a Scan."""

    types: dict[str, str]
    table: str
    malformed: str = "false"
    newlines: str = "0"


def scan_file(connection: duckdb.DuckDBPyConnection, file: RawFile, source: Source, scratch: Path, number: int) -> Scan:
    """Plans how ``file``, the ``number``-th of the batch, is read.

    The file is linked into ``scratch`` under a plain name: its own name never enters SQL, where ``*``, ``?`` and ``[``
    would be patterns.

    Raises:
        UserError: ``missing_column``, ``duplicate_column``, ``wrong_column_type``, ``wrong_encoding`` or
            ``corrupt_file``.
    """
    if file.format == "csv" and source.csv.encoding != "utf-8":
        file = in_utf8(file, source.csv.encoding, scratch / f"{number:06d}.utf8.csv")
    link = scratch / f"{number:06d}{file.extension}"
    link.symlink_to(file.path.resolve())
    rejects = None if file.format == "parquet" else f"rejects_{number}"
    if file.format == "parquet":
        rows = _parquet_rows(connection, file, link, source)
    elif file.format == "csv":
        rows = _csv_rows(file, link, source, rejects)
    else:
        rows = _json_rows(file, link, rejects, source)
    _require_columns(file, source, list(rows.types))
    selected = ", ".join(tidied(raw, rows.types, source.null_markers) for raw in source.raw_columns())
    mapped = source.columns | {WHERE: f"CAST((\n{source.where or 'true'}\n) AS BOOLEAN)"}
    attempts = ", ".join(_attempt(ours, expression) for ours, expression in mapped.items())
    results = ", ".join(_result(ours, expression) for ours, expression in mapped.items())
    return Scan(
        file,
        f"SELECT {results}, malformed, newlines FROM (SELECT {attempts}, malformed, newlines FROM "
        f"(SELECT {selected}, {rows.malformed} AS malformed, {rows.newlines} AS newlines FROM {rows.table}))",
        rejects,
    )


def _csv_rows(file: RawFile, link: Path, source: Source, rejects: str | None) -> _Rows:
    names = read_csv_header(file, source.csv.delimiter, source.raw_columns())
    quoting = f"delim = {literal(source.csv.delimiter)}, quote = '\"', escape = '\"', header = true"
    texts = [f"coalesce({identifier(name)}, '')" for name in names]
    breaks = _balanced([f"len({text}) - len(replace({text}, chr(10), ''))" for text in texts], "+")
    # Hardly a row has any: looking for one is much cheaper than counting.
    found = _balanced([f"contains({identifier(name)}, chr(10))" for name in names], "OR")
    return _Rows(
        dict.fromkeys(names, "VARCHAR"),
        _read_csv(file, link, names, quoting, rejects),
        newlines=f"CASE WHEN {found} THEN {breaks} ELSE 0 END" if names else "0",
    )


def _balanced(terms: list[str], operator: str) -> str:
    """DuckDB nests expressions 1,000 deep at most, and a file may have more columns."""
    if len(terms) < 2:
        return "".join(terms)
    half = len(terms) // 2
    return f"({_balanced(terms[:half], operator)} {operator} {_balanced(terms[half:], operator)})"


def _json_rows(file: RawFile, link: Path, rejects: str | None, source: Source) -> _Rows:
    keys: dict[str, str] = {}
    with file.open() as stream:
        for line in islice(stream, _JSON_LINES_SAMPLED):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue  # quarantined when it is read for good
            if isinstance(record, dict):
                keys |= dict.fromkeys(record, "VARCHAR")
    require_once(file, list(keys), source.raw_columns())
    # An exporter that leaves nulls out may name an optional column for the first time after the sample.
    sampled = {key.lower() for key in keys}
    keys |= {name: "VARCHAR" for name in source.optional if name.lower() not in sampled}
    # A delimiter that text does not hold: the line stays whole.
    lines = _read_csv(file, link, ["line"], "delim = '\x01', quote = '', escape = '', header = false", rejects)
    # Other keys are anybody's: they never enter SQL.
    read = {raw.lower() for raw in source.raw_columns()}
    wanted = [key for key in keys if key.lower() in read]
    pointers = ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in wanted)
    record = "CASE WHEN json_valid(line) THEN line END"
    parsed = f"SELECT coalesce(json_type({record}) <> 'OBJECT', true) AS is_malformed, " + (
        f"json_extract_string({record}, [{pointers}]) AS found FROM {lines} WHERE line IS NOT NULL"
    )
    columns = ", ".join(f"found[{place}] AS {identifier(key)}" for place, key in enumerate(wanted, start=1))
    return _Rows(keys, f"(SELECT {columns}, is_malformed FROM ({parsed}))", malformed="is_malformed")


def _read_csv(file: RawFile, link: Path, names: list[str], quoting: str, rejects: str | None) -> str:
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({literal(str(link))}, columns = {{{columns}}}, {quoting}, auto_detect = false, nullstr = '', "
        f"compression = {literal('gzip' if file.is_compressed else 'none')}, ignore_errors = true, "
        f"store_rejects = true, rejects_table = '{rejects}', rejects_scan = '{rejects}_scan', rejects_limit = 0)"
    )


def _parquet_rows(connection: duckdb.DuckDBPyConnection, file: RawFile, link: Path, source: Source) -> _Rows:
    table = f"read_parquet({literal(str(link))})"
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
        nodes = connection.execute(f"SELECT name, num_children FROM parquet_schema({literal(str(link))})").fetchall()
    except duckdb.Error as error:
        raise corrupt(file, error) from error
    # DuckDB calls the second of two columns with one name something else: the file's own names tell.
    require_once(file, _top_level(nodes), source.raw_columns())
    types = {name: kind for name, kind, *_ in described}
    _require_readable_types(file, source, types)
    return _Rows(types, table)


def _top_level(nodes: list[tuple[str, int | None]]) -> list[str]:
    """Names of the columns in a Parquet schema: its nodes depth first, each with its number of children."""
    names, within = [], 0
    for name, children in nodes[1:]:
        if within == 0:
            names.append(name)
        within += (children or 0) - (1 if within else 0)
    return names


def _require_readable_types(file: RawFile, source: Source, types: dict[str, str]) -> None:
    """A nested or binary value has no one text, and 7 as a floating-point number would be called 7.0."""
    kinds = {name.lower(): kind for name, kind in types.items()}
    for ours, expression in source.columns.items():
        kind = kinds.get(expression.lower(), "") if is_plain_column(expression) else ""
        is_float_id = ours in _IDS and kind in ("FLOAT", "DOUBLE")
        if is_float_id or kind == "BLOB" or kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
            raise UserError(
                f"{file.name}: column {expression!r}, read as {ours}, is {kind.split('(')[0]}: it must hold "
                + ("text or whole numbers" if ours in _IDS else "one plain value a row"),
                code="wrong_column_type",
            )


def corrupt(file: RawFile, error: Exception) -> UserError:
    """The error for a file whose bytes are damaged."""
    first_line = _PATH.sub(file.name.replace("\\", "\\\\"), str(error).splitlines()[0])
    return UserError(
        f"{file.name} is a damaged {file.extension} file, none of its columns can be trusted: {first_line}",
        code="corrupt_file",
    )


def _require_columns(file: RawFile, source: Source, present: list[str]) -> None:
    header = "\n".join(present).lower()
    if not any(raw.lower() in header for raw in source.raw_columns()):
        # Without a header line these "names" would be somebody's data: they are not told.
        wanted = ", ".join(source.raw_columns())
        raise UserError(
            f"{file.name} has none of the columns that are read, {wanted}: is its first line a header, and is this "
            "its source?",
            code="missing_column",
        )
    found = {name.lower() for name in present}
    optional = {name.lower() for name in source.optional}
    for raw, ours in source.raw_columns().items():
        if raw.lower() not in found | optional:
            # Names that nobody asked for may be data: of a torn header, or of JSON that is called CSV.
            has = [name for name in source.raw_columns() if name.lower() in found]
            raise UserError(
                f"{file.name} has no column {raw!r}, from which {ours} is read; of the columns that are read it has "
                f"{', '.join(has) or 'none by itself: is it delimited otherwise'}; others: {len(present) - len(has)}",
                code="missing_column",
            )


def tidied(raw: str, types: dict[str, str], null_markers: list[str]) -> str:
    """One column of a file as expressions read it: trimmed; null when it is missing, blank or a null marker."""
    kinds = {name.lower(): kind for name, kind in types.items()}
    kind = kinds.get(raw.lower())
    name = identifier(raw)
    if kind is None:
        return f"CAST(NULL AS VARCHAR) AS {name}"
    if kind != "VARCHAR":
        return name
    absent = ", ".join(literal(text) for text in ("", *null_markers))
    tidied = f"CASE WHEN trim({name}) NOT IN ({absent}) THEN trim({name}) END"
    if null_markers:
        return f"{tidied} AS {name}"
    # Most texts are tidy, and to see that costs half of trimming them. Before '!' come the blank text and all that
    # begin with a space; spaces beyond ASCII take more than a byte.
    untidy = f"{name} < '!' OR ends_with({name}, ' ') OR strlen({name}) <> length({name})"
    return f"CASE WHEN {untidy} THEN {tidied} ELSE {name} END AS {name}"


def _attempt(ours: str, expression: str) -> str:
    if is_plain_column(expression):
        return f"{expression} AS raw_{ours}"
    # In a list: a null list is an expression that failed, a list of null is one that gave null.
    return f"TRY([(\n{expression}\n)]) AS attempt_{ours}"


def _result(ours: str, expression: str) -> str:
    if is_plain_column(expression):
        return f"raw_{ours}"
    return f"attempt_{ours}[1] AS raw_{ours}, attempt_{ours} IS NULL AS failed_{ours}"
