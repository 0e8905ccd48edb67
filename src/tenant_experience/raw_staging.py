"""Reading every file of a batch once: good rows to ``staged``, bad ones to ``quarantine``, each with its reason.

Both tables live in the connection. A clean file is read once; a file with bad rows a second time, to number its lines.
"""

# ruff: noqa: S608 - names and texts in SQL are quoted by duckdb_session, files go by our own link names
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from tenant_experience.duckdb_session import single
from tenant_experience.errors import UserError
from tenant_experience.raw_files import RawFile
from tenant_experience.raw_quarantine import FILTERED, Rule, create_quarantine, quarantine_file
from tenant_experience.raw_scan import Scan, corrupt, scan_file
from tenant_experience.source import WHERE, Source
from tenant_experience.source_expression import is_plain_column

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
) -> list[FileCount]:
    """Fills ``staged`` (the columns of ``typed``, ``file`` = index into ``files``) and ``quarantine``.

    Args:
        connection: from :func:`open_session`.
        files: of one batch.
        source: how to map their columns.
        typed: our column -> SQL over ``raw_<column>``; must give null, not an error, for what it cannot read.
        rules: checked in order; the first that is broken names the reason.
        scratch: a folder SQL may read.

    Raises:
        UserError: a file cannot be read at all, or lacks a column.
    """
    rules = [*_UNTELLABLE, *_expression_rules(source), *rules]
    create_quarantine(connection, list(source.columns))
    counts = []
    for number, file in enumerate(files):
        scan = scan_file(connection, file, source, scratch, number)
        checked = _checked(scan, typed, rules)
        try:
            rows, broken, filtered = _stage(connection, checked, list(typed), number)
            refused = quarantine_file(connection, scan, checked, rules, rows, broken)
            counts.append(FileCount(file.name, rows - broken + refused, refused, filtered))
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise UserError(
                f"a column expression of the source does not fit {file.name}: {error}", code="invalid_source"
            ) from error
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise corrupt(file, error) from error
    return counts


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


def _stage(connection: duckdb.DuckDBPyConnection, checked: str, columns: list[str], number: int) -> list[int]:
    """Reads one file into ``staged``: rows split into columns, how many of them broke a rule, how many are filtered."""
    insert = "CREATE TABLE staged AS" if number == 0 else "INSERT INTO staged"
    connection.execute(f"{insert} SELECT {', '.join(columns)}, {number} AS file, broken_rule FROM ({checked})")
    counted = single(
        connection,
        f"SELECT count(*), count(*) FILTER (broken_rule <> {FILTERED}), count(*) FILTER (broken_rule = {FILTERED}) "
        f"FROM staged WHERE file = {number}",
    )
    return [int(str(value)) for value in counted]
