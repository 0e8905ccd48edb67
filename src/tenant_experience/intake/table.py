"""A ready-made feature table: checked, and refused as a whole when it is not one row per tenant."""

# ruff: noqa: S608 - names in SQL come from validated settings
from __future__ import annotations

from pathlib import Path

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.intake.duckdb_session import count, literal
from tenant_experience.intake.files import RawFile
from tenant_experience.intake.quarantine import Rule, malformed
from tenant_experience.intake.staging import FileCount, stage_files
from tenant_experience.pseudonyms import Pseudonyms
from tenant_experience.tenant_id import NAME_PATTERN, PATTERN
from tenant_experience.use_case.features import Feature
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source

# From this share of a file's rows on, it is the column that is wrong, not the rows.
_WRONG_COLUMN_SHARE = 0.5


def read_table(
    connection: duckdb.DuckDBPyConnection,
    files: list[RawFile],
    source: Source,
    use_case: UseCase,
    scratch: Path,
    pseudonyms: Pseudonyms | None = None,
) -> list[FileCount]:
    """Fills the view ``ready_made`` (record id, partition, features as DOUBLE) and the table ``quarantine``.

    Raises:
        UserError: ``wrong_column_type`` or ``duplicate_ids``, or a file cannot be read; names the file and the column.
    """
    counts = stage_files(connection, files, source, _typed(source, use_case), _rules(use_case), scratch, pseudonyms)
    _check_column_types(connection, counts, source)
    _check_unique(connection, files, source, use_case)
    connection.execute(
        "CREATE VIEW ready_made AS SELECT * EXCLUDE (file, broken_rule) FROM staged WHERE broken_rule IS NULL"
    )
    return counts


def _typed(source: Source, use_case: UseCase) -> dict[str, str]:
    partition = f"raw_{use_case.partition_column}" if use_case.partition_column in source.columns else "NULL"
    return {
        use_case.record_id: _text(use_case.record_id),
        use_case.partition_column: f"coalesce(nullif(trim(CAST({partition} AS VARCHAR)), ''), 'all')",
        **{name: _text(name) for name in (*use_case.categories, *_label_names(use_case))},
        **{name: f"TRY_CAST(raw_{name} AS DOUBLE)" for name in _numbers(use_case)},
    }


def _text(name: str) -> str:
    return f"nullif(trim(CAST(raw_{name} AS VARCHAR)), '')"


def _numbers(use_case: UseCase) -> list[str]:
    """The columns that hold numbers: features, and a label that is one."""
    labels = [use_case.labels.column] if use_case.labels.column and not use_case.labels.classes else []
    return [name for name, feature in use_case.features.items() if feature.kind == "number"] + labels


def _label_names(use_case: UseCase) -> list[str]:
    """The column that holds the name of a class."""
    return [use_case.labels.column] if use_case.labels.column and use_case.labels.classes else []


def _rules(use_case: UseCase) -> list[Rule]:
    rules = [
        Rule("missing_value", use_case.record_id, f"{use_case.record_id} IS NULL"),
        Rule("malformed_id", use_case.record_id, malformed(use_case.record_id, PATTERN)),
        Rule("malformed_portfolio", use_case.partition_column, malformed(use_case.partition_column, NAME_PATTERN)),
    ]
    for name in _numbers(use_case):
        rules.append(Rule("not_a_number", name, f"raw_{name} IS NOT NULL AND {name} IS NULL"))
        rules.append(Rule("out_of_range", name, _outside(name, use_case.features.get(name, Feature()))))
    rules.extend(Rule("malformed_category", name, malformed(name, NAME_PATTERN)) for name in use_case.categories)
    for name in _label_names(use_case):
        classes = ", ".join(literal(each) for each in use_case.labels.classes or ())
        rules.append(Rule("unknown_class", name, f"{name} NOT IN ({classes})"))
    return rules


def _outside(name: str, feature: Feature) -> str:
    tests = [f"NOT isfinite({name})"]
    if feature.minimum is not None:
        tests.append(f"{name} < {feature.minimum!r}")
    if feature.maximum is not None:
        tests.append(f"{name} > {feature.maximum!r}")
    return " OR ".join(tests)


def _check_column_types(connection: duckdb.DuckDBPyConnection, counts: list[FileCount], source: Source) -> None:
    worst = connection.execute(
        "SELECT file, column_name, count(*) AS n, min(line) FROM quarantine WHERE reason = 'not_a_number' "
        "GROUP BY ALL ORDER BY n DESC, file, column_name LIMIT 1"
    ).fetchone()
    rows = {counted.name: counted.rows for counted in counts}
    if worst and worst[2] > _WRONG_COLUMN_SHARE * rows[worst[0]]:
        file, column, broken, line = worst
        raise UserError(
            f"{file}: column {source.columns[column]!r}, read as {column}, must hold numbers, but {broken} of "
            f"{rows[file]} rows do not, the first in line {line}",
            code="wrong_column_type",
        )


def _check_unique(
    connection: duckdb.DuckDBPyConnection, files: list[RawFile], source: Source, use_case: UseCase
) -> None:
    record_id = use_case.record_id
    repeated = (
        f"(SELECT {record_id}, max(file) AS file FROM staged WHERE broken_rule IS NULL GROUP BY 1 HAVING count(*) > 1)"
    )
    several = count(connection, f"SELECT count(*) FROM {repeated}")
    if several:
        file = files[count(connection, f"SELECT min(file) FROM {repeated}")]
        raise UserError(
            f"{file.name}: column {source.columns[record_id]!r} must be unique, but {several} ids stand in more than "
            "one row: a ready-made table has one row per tenant",
            code="duplicate_ids",
        )
