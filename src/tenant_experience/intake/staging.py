"""Reading every file of a batch once: good rows to ``staged``, bad ones to ``quarantine``, each with its reason.

Each file is read once, into a Parquet file in the scratch folder: a batch may be larger than memory. Files are read
side by side, because one compressed file alone cannot keep more than one core busy.
"""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session, files go by our own link names
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.intake import _pseudonymise as raw_pseudonyms
from tenant_experience.intake._pseudonymise import hidden
from tenant_experience.intake.duckdb_session import literal, single
from tenant_experience.intake.files import RawFile
from tenant_experience.intake.quarantine import FILTERED, Rule, create_quarantine, kept_values, quarantine_file
from tenant_experience.intake.scan import Scan, corrupt, scan_file
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.use_case.source import WHERE, Source
from tenant_experience.use_case.source_expression import is_plain_column

_MOST_FILES_AT_ONCE = 4  # each takes memory for its buffers
# Checked before the filter: a line that is no record, or that the filter cannot tell, is refused.
_UNTELLABLE = [Rule("not_a_json_object", "", "malformed"), Rule("unreadable_value", WHERE, f"failed_{WHERE}")]


@dataclass(frozen=True)
class FileCount:
    """What one file held.

    Attributes:
        name: the file's, inside the batch.
        rows: lines read in all (a line is a row, save inside quotes).
        quarantined: how many of them were refused.
        filtered: how many the source's filter passed over.
    """

    name: str
    rows: int
    quarantined: int
    filtered: int


def stage_files(
    connection: duckdb.DuckDBPyConnection,
    files: list[RawFile],
    source: Source,
    typed: dict[str, str],
    rules: list[Rule],
    scratch: Path,
    pseudonyms: Pseudonyms | None = None,
) -> list[FileCount]:
    """Fills the view ``staged`` (the columns of ``typed``, ``file`` = index into ``files``) and ``quarantine``.

    Args:
        connection: from :func:`open_session`.
        files: of one batch.
        source: how to map their columns.
        typed: our column -> SQL over ``raw_<column>``; must give null, not an error, for what it cannot read.
        rules: checked in order; the first that is broken names the reason.
        scratch: a folder SQL may read.
        pseudonyms: what stands for ids in ``staged`` and ``quarantine``; rules see the ids themselves.

    Raises:
        UserError: a file cannot be read at all, or lacks a column.
    """
    rules = [*_UNTELLABLE, *_expression_rules(source), *rules]
    create_quarantine(connection, list(source.columns))
    if pseudonyms is not None:
        raw_pseudonyms.install(connection, pseudonyms)
    kept = kept_values(source, pseudonyms)
    columns = [f"{hidden(pseudonyms, column, column)} AS {column}" for column in typed]

    def stage(number: int) -> FileCount:
        # A cursor of its own: a connection answers one thread at a time, and keeps its rejects to itself.
        with connection.cursor() as cursor:
            return _stage_file(cursor, files[number], source, typed, rules, scratch, number, columns, kept)

    with ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), _MOST_FILES_AT_ONCE)) as pool:
        counts = list(pool.map(stage, range(len(files))))
    paths = ", ".join(literal(str(_staged_path(scratch, number))) for number in range(len(files)))
    connection.execute(
        f"CREATE VIEW staged AS SELECT {', '.join(typed)}, file, broken_rule FROM read_parquet([{paths}])"
    )
    return counts


def _stage_file(
    connection: duckdb.DuckDBPyConnection,
    file: RawFile,
    source: Source,
    typed: dict[str, str],
    rules: list[Rule],
    scratch: Path,
    number: int,
    columns: list[str],
    kept: str,
) -> FileCount:
    scan = scan_file(connection, file, source, scratch, number)
    staged = _staged_path(scratch, number)
    try:
        rows, broken, filtered = _stage(connection, _checked(scan, typed, rules), columns, kept, number, staged)
        refused = quarantine_file(connection, scan, staged, rules, rows, broken)
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise UserError(
            f"a column expression of the source does not fit {file.name}: {str(error).splitlines()[0]}",
            code="invalid_source",
        ) from error
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        # For a damaged Parquet file DuckDB has no one kind of error, and often none of its kinds.
        if file.format != "parquet" and not isinstance(error, duckdb.IOException | duckdb.InvalidInputException):
            raise
        raise corrupt(file, error) from error
    return FileCount(file.name, rows - broken + refused, refused, filtered)


def _staged_path(scratch: Path, number: int) -> Path:
    return scratch / f"staged-{number:06d}.parquet"


def _expression_rules(source: Source) -> list[Rule]:
    return [
        Rule("unreadable_value", ours, f"failed_{ours}")
        for ours, expression in source.columns.items()
        if not is_plain_column(expression)
    ]


def _checked(scan: Scan, typed: dict[str, str], rules: list[Rule]) -> str:
    columns = ", ".join(f"{expression} AS {ours}" for ours, expression in typed.items())
    cases = [f"WHEN {rule.broken} THEN {place}" for place, rule in enumerate(rules)]
    cases.insert(len(_UNTELLABLE), f"WHEN raw_{WHERE} IS NOT TRUE THEN {FILTERED}")
    rule = f"CAST(CASE {' '.join(cases)} END AS SMALLINT) AS broken_rule"
    return f"SELECT *, {rule} FROM (SELECT *, {columns} FROM ({scan.mapped}))"


def _stage(
    connection: duckdb.DuckDBPyConnection, checked: str, columns: list[str], kept: str, number: int, path: Path
) -> list[int]:
    """Reads one file into ``path``: rows split into columns, how many of them broke a rule, how many are filtered."""
    connection.execute(
        f"COPY (SELECT {', '.join(columns)}, {number} AS file, broken_rule, newlines, "
        f"CASE WHEN broken_rule <> {FILTERED} THEN {kept} END AS refused FROM ({checked})) "
        # Read again within the minute, so not worth compressing. Dictionaries are for words: not tried for long on ids.
        # In the order of the file, by which lines are numbered: several threads do not keep it by themselves.
        f"TO {literal(str(path))} (FORMAT parquet, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1000, "
        "PRESERVE_ORDER true)"
    )
    counted = single(
        connection,
        f"SELECT count(*), count(*) FILTER (broken_rule <> {FILTERED}), count(*) FILTER (broken_rule = {FILTERED}) "
        f"FROM read_parquet({literal(str(path))})",
    )
    return [int(str(value)) for value in counted]
