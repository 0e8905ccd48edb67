"""The rows of one file, typed and checked, in a Parquet file of their own: a batch may be larger than memory."""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session, files go by our own link names
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from tenant_experience.intake._pseudonymise import hidden
from tenant_experience.intake.duckdb_session import identifier, literal, single
from tenant_experience.intake.mapping import FILTERED, RowMapping
from tenant_experience.intake.scan import Scan
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.use_case.source import Source

# Of each value of a refused row, the quarantine keeps at most this many characters.
KEPT_CHARACTERS = 64


@dataclass(frozen=True)
class StagedFile:
    """What was read from one file.

    Attributes:
        path: Parquet, the rows in the order of the file: the typed columns, ``file`` (its number), ``broken_rule``,
            ``newlines`` (line breaks inside values), and ``refused``: the values that the quarantine keeps of a row
            that broke a rule, in the order of the source's columns.
        rows: how many rows the file was split into.
        broken: how many of them broke a rule.
        filtered: how many of them the source's filter left out.
    """

    path: Path
    rows: int
    broken: int
    filtered: int


def write_staged(
    connection: duckdb.DuckDBPyConnection, scan: Scan, mapping: RowMapping, pseudonyms: Pseudonyms | None, path: Path
) -> StagedFile:
    """Reads a file once, into ``path``. Ids are replaced by pseudonyms after the rules have seen them."""
    columns = ", ".join(
        f"{hidden(pseudonyms, column, identifier(column))} AS {identifier(column)}" for column in mapping.columns
    )
    connection.execute(
        f"COPY (SELECT {columns}, {scan.file.number} AS file, broken_rule, newlines, "
        f"CASE WHEN broken_rule <> {FILTERED} THEN {_kept_values(mapping.source, pseudonyms)} END AS refused "
        f"FROM ({mapping.checked(scan.mapped)})) "
        # It is read again within a minute, so compression is not worth it. Dictionaries suit columns of few words; with
        # this limit DuckDB soon stops trying to build one for ids. Lines are numbered by the order of the rows, which
        # several threads do not keep by themselves.
        f"TO {literal(str(path))} (FORMAT parquet, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1000, "
        "PRESERVE_ORDER true)"
    )
    counted = single(
        connection,
        f"SELECT count(*), count(*) FILTER (broken_rule <> {FILTERED}), count(*) FILTER (broken_rule = {FILTERED}) "
        f"FROM read_parquet({literal(str(path))})",
    )
    rows, broken, filtered = (int(str(value)) for value in counted)
    return StagedFile(path, rows, broken, filtered)


def _kept_values(source: Source, pseudonyms: Pseudonyms | None) -> str:
    """SQL over ``raw_<column>``: a list of the values that the quarantine keeps of a row, cut to a few characters."""
    values = [hidden(pseudonyms, column, f"raw_{column}") for column in source.columns]
    return f"[{', '.join(f'left(CAST({value} AS VARCHAR), {KEPT_CHARACTERS})' for value in values)}]"
