"""What is told of the outcomes of a batch: how many were read and refused, and whether their tenants are known."""

# ruff: noqa: S608 - names in SQL are constants or come from validated settings

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from tenant_experience.data_quality.describe import IntakeFigures
from tenant_experience.intake.duckdb_session import identifier
from tenant_experience.use_case.tenant_outcomes import Outcomes
from tenant_experience.use_case.words import Words


@dataclass(frozen=True)
class OutcomeFigures:
    """The outcomes of a batch.

    Attributes:
        source: the name of the source that mapped them.
        intake: the rows read; duplicates are among them.
        outcomes: those kept, each once.
        duplicates: rows that repeat another row.
        by_kind: the number of outcomes of each kind, also where there is none.
        of_known_tenants: those whose tenant is among the tenants of the batch.
        of_unknown_tenants: the others.
        unknown_tenants: how many tenants these are of.
        first_at: UTC; None without an outcome.
        last_at: UTC; None without an outcome.
    """

    source: str
    intake: IntakeFigures
    outcomes: int
    duplicates: int
    by_kind: dict[str, int]
    of_known_tenants: int
    of_unknown_tenants: int
    unknown_tenants: int
    first_at: str | None
    last_at: str | None


def describe_outcomes(
    connection: duckdb.DuckDBPyConnection, source: str, intake: IntakeFigures, declared: Outcomes, record_id: str
) -> OutcomeFigures:
    """Counts the outcomes.

    Args:
        connection: holds ``outcomes``, and ``known_tenants`` with the ids of the batch's tenants.
        source: the name of the source.
        intake: the rows read.
        declared: the kinds.
        record_id: the column of ids.
    """
    kinds = dict(connection.execute("SELECT kind, count(*) FROM outcomes GROUP BY kind").fetchall())
    column = identifier(record_id)
    known = f"{column} IN (SELECT {column} FROM known_tenants)"
    counted = connection.execute(
        f"SELECT count(*), count(*) FILTER ({known}), count(DISTINCT {column}) FILTER (NOT {known}), "
        "CAST(min(happened_at) AS VARCHAR), CAST(max(happened_at) AS VARCHAR) FROM outcomes"
    ).fetchone()
    outcomes, of_known, unknown, first, last = counted or (0, 0, 0, None, None)
    return OutcomeFigures(
        source=source,
        intake=intake,
        outcomes=outcomes,
        duplicates=intake.rows - intake.quarantined - intake.filtered - outcomes,
        by_kind={kind: kinds.get(kind, 0) for kind in declared.kinds},
        of_known_tenants=of_known,
        of_unknown_tenants=outcomes - of_known,
        unknown_tenants=unknown,
        first_at=first,
        last_at=last,
    )


def outcome_warnings(found: OutcomeFigures, quarantine_share: float | None, words: Words) -> Sequence[str]:
    """Sentences about outcomes that were refused, or that are of nobody. No gate stops a release because of them."""
    warnings = []
    intake = found.intake
    if intake.quarantined and intake.quarantined_share > (quarantine_share or 0):
        most = intake.quarantined_by_reason[0]
        warnings.append(
            f"{intake.quarantined} of {intake.rows - intake.filtered} rows of outcomes "
            f"({intake.quarantined_share:.1%}) were refused, most often: {most.reason}, "
            f"{most.column or 'the whole row'}, first in {most.first_file} line {most.first_line}. They are "
            f"not part of the validation: correct the file or the source {found.source}"
        )
    if found.of_unknown_tenants > found.of_known_tenants:
        warnings.append(
            f"{found.of_unknown_tenants} of {found.outcomes} outcomes are of {found.unknown_tenants} {words.records} "
            f"that no row of this batch names: check that the source {found.source} makes the same ids as the batch's "
            "own"
        )
    return warnings
