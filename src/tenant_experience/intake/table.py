"""A ready-made feature table: checked row by row, with one row for each id.

With ``examples: several``, an id may have several rows, each with a time of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import duckdb

from tenant_experience.errors import UserError
from tenant_experience.intake.duckdb_session import identifier, literal, sql_timestamp
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.mapping import (
    Meaning,
    RowMapping,
    Rule,
    malformed_id,
    malformed_name,
)
from tenant_experience.intake.repeated_rows import RepeatedRows, view_one_row_each
from tenant_experience.intake.staging import FileCount
from tenant_experience.intake.times import unreadable_time, utc_time
from tenant_experience.use_case.features import Feature
from tenant_experience.use_case.id_sql import normal_id, normalised
from tenant_experience.use_case.manifest import without_training
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source

_AS_OF = "as_of"
# When more than this share of a file's rows are wrong, the column is wrong, not the rows.
_WRONG_COLUMN_SHARE = 0.5


def read_table(
    engine: DuckDbEngine,
    files: Sequence[RawFile],
    source: Source,
    use_case: UseCase,
    *,
    scored_at: datetime | None = None,
) -> tuple[list[FileCount], RepeatedRows]:
    """Fills the view ``ready_made`` (record id, partition, features, label) and the table ``quarantine``.

    Numbers are DOUBLE. An optional feature that the source does not map is null in every row. Of rows with one id, one
    is kept.

    Args:
        engine: empty.
        files: files of one batch.
        source: how to map their columns.
        use_case: says which columns there are.
        scored_at: of a score batch: the moment that it describes, UTC. A wrong row then costs no other row its answer:
            no column refuses its file, and a row of a later moment is quarantined. None: of a release.

    Raises:
        UserError: ``wrong_column_type``, or a file cannot be read; names the file and the column.
    """
    several = use_case.examples == "several"
    mapping = table_mapping(source, use_case)
    if scored_at is not None and several:
        later = Rule("future_time", _AS_OF, f"{_AS_OF} > {sql_timestamp(scored_at)}")
        mapping = replace(mapping, checks=(*mapping.checks, later))
    counts = engine.stage(files, mapping)
    if scored_at is None:
        check_column_types(engine.connection, counts, source)
    key = [use_case.record_id, *([_AS_OF] if several else [])]
    return counts, view_one_row_each(engine.connection, "ready_made", key, mapping.columns)


def table_mapping(source: Source, use_case: UseCase) -> RowMapping:
    """What a row of a ready-made table must become."""
    label = [use_case.labels.column] if use_case.labels.column else []
    advice = dict.fromkeys(label, without_training())
    return RowMapping(
        source, _typed(source, use_case), tuple(_checks(source, use_case)), _meanings(use_case), advice=advice
    )


def _typed(source: Source, use_case: UseCase) -> dict[str, str]:
    texts = (*use_case.categories, *_label_names(use_case), *use_case.kept_columns)
    times = [_AS_OF] if use_case.examples == "several" else []
    return {
        use_case.record_id: f"nullif({normal_id(_as_text(use_case.record_id, source), use_case.record_id_case)}, '')",
        use_case.partition_column: f"coalesce({_text(use_case.partition_column, source)}, 'all')",
        **{name: _text(name, source) for name in texts},
        **{name: f"TRY_CAST({_raw(name, source)} AS DOUBLE)" for name in _numbers(use_case)},
        **{name: utc_time(_raw(name, source), source.time_formats) for name in times},
    }


def _meanings(use_case: UseCase) -> dict[str, Meaning]:
    return {
        **dict.fromkeys((use_case.record_id, use_case.partition_column), "id"),
        **dict.fromkeys((*use_case.categories, *_label_names(use_case), *use_case.kept_columns), "text"),
        **dict.fromkeys(_numbers(use_case), "number"),
        **({_AS_OF: "time"} if use_case.examples == "several" else {}),
    }


def _text(name: str, source: Source) -> str:
    return f"nullif({normalised(_as_text(name, source))}, '')"


def _as_text(name: str, source: Source) -> str:
    return f"CAST({_raw(name, source)} AS VARCHAR)"


def _raw(name: str, source: Source) -> str:
    return f"raw_{name}" if name in source.columns else "NULL"


def _numbers(use_case: UseCase) -> list[str]:
    """The columns that hold numbers: features, and a label that is one."""
    labels = [use_case.labels.column] if use_case.labels.column and not use_case.labels.classes else []
    return [name for name, feature in use_case.features.items() if feature.kind == "number"] + labels


def _label_names(use_case: UseCase) -> list[str]:
    """The column that holds the name of a class."""
    return [use_case.labels.column] if use_case.labels.column and use_case.labels.classes else []


def _checks(source: Source, use_case: UseCase) -> list[Rule]:
    rules = [
        Rule("missing_value", use_case.record_id, f"{identifier(use_case.record_id)} IS NULL"),
        Rule("malformed_id", use_case.record_id, malformed_id(identifier(use_case.record_id))),
        Rule("malformed_portfolio", use_case.partition_column, malformed_name(identifier(use_case.partition_column))),
    ]
    for name in (name for name in _numbers(use_case) if name in source.columns):
        rules.append(Rule("not_a_number", name, f"raw_{name} IS NOT NULL AND {identifier(name)} IS NULL"))
        rules.append(Rule("out_of_range", name, outside(name, use_case.features.get(name, Feature()))))
    names = (*use_case.categories, *use_case.kept_columns)
    rules.extend(Rule("malformed_category", name, malformed_name(identifier(name))) for name in names)
    if use_case.examples == "several":
        rules.append(Rule("unreadable_time", _AS_OF, unreadable_time(_AS_OF)))
        rules.append(Rule("missing_value", _AS_OF, f"{_AS_OF} IS NULL"))
    return rules + unknown_classes(use_case)


def unknown_classes(use_case: UseCase) -> list[Rule]:
    """The rule that a label, where there is one, is a class of the use case; none where labels are no classes."""
    classes = ", ".join(literal(each) for each in use_case.labels.classes or ())
    return [Rule("unknown_class", name, f"{identifier(name)} NOT IN ({classes})") for name in _label_names(use_case)]


def outside(name: str, feature: Feature) -> str:
    """SQL: whether a number is outside the bounds of its feature, or not finite."""
    name = identifier(name)
    tests = [f"NOT isfinite({name})"]
    if feature.minimum is not None:
        tests.append(f"{name} < {feature.minimum!r}")
    if feature.maximum is not None:
        tests.append(f"{name} > {feature.maximum!r}")
    return " OR ".join(tests)


def check_column_types(connection: duckdb.DuckDBPyConnection, counts: list[FileCount], source: Source) -> None:
    """Refuses a file in most of whose rows a column that must hold numbers does not.

    Raises:
        UserError: ``wrong_column_type``.
    """
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
