"""Which columns a source must and may map for a use case, and where its expressions may use what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tenant_experience.errors import UserError
from tenant_experience.settings_file import line_of
from tenant_experience.use_case.events import DELETED, EVENT_ID, RECORDED_AT
from tenant_experience.use_case.schema import USE_CASE_FILE, UseCase
from tenant_experience.use_case.source_expression import WHERE, uses_as_of, uses_file
from tenant_experience.use_case.tenant_outcomes import OUTCOME_COLUMNS, SCORE_COLUMN

if TYPE_CHECKING:
    from tenant_experience.use_case.source import Source


def check_columns(source: Source, use_case: UseCase, path: Path) -> None:
    """Refuses a source that lacks a column, or has one that the use case does not know.

    Raises:
        UserError: ``invalid_source``.
    """
    of_events = source.has_events
    others, optional = allowed_columns(source, use_case, path)
    required = tuple(dict.fromkeys((*use_case.id_columns, *others)))
    missing = [name for name in required if name not in source.columns]
    unknown = [name for name in source.columns if name not in (*required, *optional)]
    if missing:
        raise UserError(
            f"{path.name}: line {line_of(path, 'columns')}: key 'columns' lacks {', '.join(missing)}",
            code="invalid_source",
        )
    needed = [name for name in (EVENT_ID, RECORDED_AT) if of_events and name not in source.columns]
    if DELETED in source.columns and needed and not unknown:
        raise UserError(
            f"{path.name}: line {line_of(path, 'columns', DELETED)}: key 'columns' has {DELETED}, but not "
            f"{' and '.join(needed)}: a deletion is about the event of an id, and holds from the time of its recording",
            code="invalid_source",
        )
    if unknown:
        raise UserError(
            f"{path.name}: line {line_of(path, 'columns', unknown[0])}: key 'columns' has unknown "
            f"{', '.join(unknown)}; allowed: {', '.join((*required, *optional))}"
            + (f". {USE_CASE_FILE} declares the columns of events, below events.columns" if of_events else ""),
            code="invalid_source",
        )


def check_as_of(source: Source, use_case: UseCase, path: Path) -> None:
    """Refuses ``$as_of`` where it cannot be: it may stand in the columns of a table, but for its ids.

    Raises:
        UserError: ``invalid_source``.
    """
    users = [name for name, expression in source.columns.items() if uses_as_of(expression)]
    of_ids = [name for name in users if name in use_case.id_columns]
    key: tuple[str, ...]
    if users and source.kind != "table":
        key = ("columns", users[0])
        wrong = f"which is for kind: table and not for kind: {source.kind}; of events, features.sql has it"
    elif of_ids:
        key = ("columns", of_ids[0])
        wrong = "but an id must be the same whenever the file is read: make it of columns of the file alone"
    elif users and use_case.examples == "several":
        key = ("columns", users[0])
        wrong = (
            "the moment of the release, but with examples: several each row describes a moment of its own, and would "
            "know what came after it: write the expression that as_of is mapped to"
        )
    elif source.where is not None and uses_as_of(source.where):
        key, wrong = (WHERE,), "but the filter looks at one row of the file, whenever it is read"
    elif source.where is not None and uses_file(source.where):
        raise UserError(
            f"{path.name}: line {line_of(path, WHERE)}: key 'where' uses $file, but the filter looks at one row of the "
            "file, however it is called",
            code="invalid_source",
        )
    else:
        return
    raise UserError(
        f"{path.name}: line {line_of(path, *key)}: key '{'.'.join(key)}' uses $as_of, {wrong}", code="invalid_source"
    )


def allowed_columns(source: Source, use_case: UseCase, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns beside the id that a source must map, and those that it may map.

    Raises:
        UserError: ``invalid_source``: the use case cannot be fed by a source of this kind.
    """
    if source.kind == "outcomes":
        return _outcome_columns(use_case, path)
    if use_case.labels.from_ == "events" and not source.has_events:
        raise UserError(
            f"{path.name}: line {line_of(path, 'kind')}: key 'kind' is table, but with labels.from: events, labels are "
            "made of events: map the events themselves, with kind: events or activities",
            code="invalid_source",
        )
    return _event_columns(source, use_case, path) if source.has_events else _table_columns(use_case)


def _event_columns(source: Source, use_case: UseCase, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if use_case.events is None:
        raise UserError(
            f"{path.name}: line {line_of(path, 'kind')}: key 'kind' is {source.kind}, but {USE_CASE_FILE} has no key "
            "'events': declare there which columns an event has",
            code="invalid_source",
        )
    events = use_case.declared_events
    required = [name for name, column in events.columns.items() if not column.optional]
    optional = [name for name, column in events.columns.items() if column.optional]
    of_case = (EVENT_ID, RECORDED_AT)
    if source.kind == "activities":
        return (*of_case, events.time, *required), (use_case.partition_column, *optional)
    return (events.time, *required), (use_case.partition_column, *optional, *of_case, DELETED)


def check_combinations(source: Source, use_case: UseCase, path: Path) -> None:
    """Refuses a combination of rows of a case that cannot be.

    Raises:
        UserError: ``invalid_source``.
    """
    for name, how in source.combine.items():
        if source.kind != "activities":
            wrong = f"belongs to kind: activities, and not to kind: {source.kind}"
        elif name not in source.columns or name in (EVENT_ID, RECORDED_AT, use_case.declared_events.time):
            wrong = f"names {name}, which is not one of the columns that rows of a case may differ in"
        elif how == "any" and name not in use_case.declared_events.of_type("boolean"):
            wrong = f"says any of {name}, which is not of type boolean: say first or last"
        else:
            continue
        raise UserError(
            f"{path.name}: line {line_of(path, 'combine', name)}: key 'combine' {wrong}", code="invalid_source"
        )


def _outcome_columns(use_case: UseCase, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if use_case.outcomes is None:
        raise UserError(
            f"{path.name}: line {line_of(path, 'kind')}: key 'kind' is outcomes, but {USE_CASE_FILE} has no key "
            "'outcomes': declare there what each kind of outcome means",
            code="invalid_source",
        )
    return OUTCOME_COLUMNS, (SCORE_COLUMN,)


def _table_columns(use_case: UseCase) -> tuple[tuple[str, ...], tuple[str, ...]]:
    required = [name for name, feature in use_case.features.items() if not feature.optional]
    optional = [name for name, feature in use_case.features.items() if feature.optional]
    # A source of records that only get answers need not have labels; Batch.open refuses to train on it.
    labels = [use_case.labels.column] if use_case.labels.column else []
    times = ["as_of"] if use_case.examples == "several" else []
    kept = use_case.kept_columns
    return (*times, *required, *kept), (use_case.partition_column, *optional, *labels)
