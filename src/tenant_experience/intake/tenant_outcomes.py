"""Outcomes of tenants: from files beside the events to one checked table, through the same doors as the events."""

# ruff: noqa: S608 - only our own column names enter the SQL
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tenant_experience.intake.duckdb_session import identifier, literal
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.formats import RawFile
from tenant_experience.intake.mapping import Meaning, RowMapping, Rule, malformed_id
from tenant_experience.intake.staging import FileCount
from tenant_experience.intake.times import latest_time, unreadable_time, utc_time
from tenant_experience.use_case.id_sql import normal_id
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source
from tenant_experience.use_case.tenant_outcomes import OUTCOME_COLUMNS, SCORE_COLUMN, OutcomeKind

OUTCOMES_TABLE = "outcomes"
_AT, _KIND = OUTCOME_COLUMNS


def read_outcomes(
    engine: DuckDbEngine, files: Sequence[RawFile], source: Source, use_case: UseCase, requested_at: datetime
) -> list[FileCount]:
    """Fills the table ``outcomes``, which has each outcome once, and the table ``quarantine``.

    The columns are the record id, ``happened_at`` (UTC), ``kind`` (with underscores, in lower case: ``Move-out`` is
    ``move_out``) and ``value`` (a DOUBLE that only scores have).

    Args:
        engine: empty, with a session in the time zone of the source.
        files: those of one batch that hold outcomes.
        source: how to map their columns.
        use_case: declares the kinds.
        requested_at: UTC; a row with a time more than a day later is quarantined.

    Raises:
        UserError: a file cannot be read, or lacks a column; the message names both.
    """
    if use_case.outcomes is None:
        raise ValueError(f"{use_case.name} has no outcomes")
    record_id = use_case.record_id
    meanings: dict[str, Meaning] = {record_id: "id", _AT: "time", _KIND: "text", SCORE_COLUMN: "number"}
    typed = {
        record_id: f"nullif({normal_id(_text(record_id), use_case.record_id_case)}, '')",
        _AT: utc_time(f"raw_{_AT}", source.time_formats),
        _KIND: f"nullif(regexp_replace(lower(trim({_text(_KIND)})), '[ -]+', '_', 'g'), '')",
        SCORE_COLUMN: f"TRY_CAST(raw_{SCORE_COLUMN} AS DOUBLE)" if SCORE_COLUMN in source.columns else "NULL::DOUBLE",
    }
    checks = _checks(record_id, use_case.outcomes.kinds, requested_at, has_scores=SCORE_COLUMN in source.columns)
    counts = engine.stage(files, RowMapping(source, typed, tuple(checks), meanings))
    columns = ", ".join(map(identifier, typed))
    engine.connection.execute(
        f"CREATE TABLE {OUTCOMES_TABLE} AS SELECT DISTINCT {columns} FROM staged WHERE broken_rule IS NULL"
    )
    return counts


def _text(column: str) -> str:
    return f"CAST(raw_{column} AS VARCHAR)"


def _checks(
    record_id: str, kinds: Mapping[str, OutcomeKind], requested_at: datetime, *, has_scores: bool
) -> list[Rule]:
    scores = [name for name, kind in kinds.items() if kind.is_score]
    rules = [
        Rule("missing_value", record_id, f"{identifier(record_id)} IS NULL"),
        Rule("malformed_id", record_id, malformed_id(identifier(record_id))),
        Rule("unreadable_time", _AT, unreadable_time(_AT)),
        Rule("missing_value", _AT, f"{_AT} IS NULL"),
        Rule("future_time", _AT, f"{_AT} > {latest_time(requested_at)}"),
        Rule("missing_value", _KIND, f"{_KIND} IS NULL"),
        Rule("unknown_kind", _KIND, f"{_KIND} NOT IN ({', '.join(map(literal, kinds))})"),
    ]
    if has_scores:
        given = f"raw_{SCORE_COLUMN} IS NOT NULL"
        rules.append(Rule("not_a_number", SCORE_COLUMN, f"{given} AND {SCORE_COLUMN} IS NULL"))
        others = [literal(name) for name in kinds if name not in scores]
        if others:
            # What the value of something that happens would mean is not known: 0 may well mean that it did not.
            rules.append(Rule("unexpected_value", SCORE_COLUMN, f"{given} AND {_KIND} IN ({', '.join(others)})"))
    for name in scores:
        is_it = f"{_KIND} = {literal(name)}"
        rules.append(Rule("missing_value", SCORE_COLUMN, f"{is_it} AND {SCORE_COLUMN} IS NULL"))
        rules.append(Rule("out_of_range", SCORE_COLUMN, f"{is_it} AND ({_outside(kinds[name])})"))
    return rules


def _outside(kind: OutcomeKind) -> str:
    tests = [f"NOT isfinite({SCORE_COLUMN})"]
    if kind.minimum is not None:
        tests.append(f"{SCORE_COLUMN} < {kind.minimum!r}")
    if kind.maximum is not None:
        tests.append(f"{SCORE_COLUMN} > {kind.maximum!r}")
    return " OR ".join(tests)
