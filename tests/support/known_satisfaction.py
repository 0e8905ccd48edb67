"""Tenants whose satisfaction is known, the outcomes that it brings about, and what answers about them are truly worth.

Satisfaction follows from a tenant's true rates, which no model sees. It decides how likely a bad survey and a complaint
are, and these are drawn. So the true area under the ROC curve of any answers can be computed, without drawing.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from tenant_experience.evaluation.outcome_validation import OutsideTruth, validate
from tenant_experience.features.table import FeatureTable
from tenant_experience.features.tenant_outcomes import TenantOutcomes, read_tenant_outcomes
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.split import split_tenants, with_label
from tenant_experience.intake.duckdb_session import literal, open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.intake.tenant_outcomes import read_outcomes
from tenant_experience.models.served_model import ServedModel
from tenant_experience.models.validation import OutcomeValidation
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import load_source
from tests.support.following_period import published_model
from tests.support.generated_tenants import shipped_use_case, use_case
from tests.support.places import USE_CASE_FOLDER
from tests.support.true_tenants import TrueTenants, true_tenants

TENANTS, NEWCOMERS = 4_000, 8_000
ANSWERED = 0.3
# How likely a bad survey and a complaint are for a tenant of middling satisfaction, in log-odds.
LEVELS = {"survey": -1.0, "complaint": -2.5}
_SLOPE = 0.8


@dataclass(frozen=True)
class Validated:
    """What a release says its answers are worth, beside the truth."""

    said: OutcomeValidation
    truth: float

    @property
    def holds(self) -> bool:
        """Whether the truth lies in the interval."""
        return (
            self.said.low is not None and self.said.high is not None and self.said.low <= self.truth <= self.said.high
        )


def with_outcomes() -> UseCase:
    """The use case of generated tenants, with the kinds of outcomes of the shipped one."""
    return use_case().model_copy(update={"outcomes": shipped_use_case().outcomes})


def dissatisfaction(tenants: TrueTenants, kind: str) -> Floats:
    """The probability of a bad outcome of each tenant."""
    waits = np.log(tenants.mean["mean_first_response_hr"]) + np.log(tenants.mean["mean_full_resolution_hr"]) - 5.8
    return np.asarray(1 / (1 + np.exp(-(LEVELS[kind] + _SLOPE * waits))))


def validated(seed: int, folder: Path, *, following: bool) -> list[Validated]:
    """The validation of one release by surveys and complaints of its newest year.

    Args:
        seed: of the tenants, and of their outcomes.
        folder: for the model and for the file of outcomes.
        following: whether there is an earlier year, whose answers the outcomes follow.
    """
    tenants = true_tenants(TENANTS, seed)
    years = [tenants.period(number) for number in (2 * seed, 2 * seed + 1)]
    tables = years if following else years[1:]
    model = published_model(tables, use_case(), folder / "model")
    truth = OutsideTruth(outcomes_of(tenants, years[1], seed, folder / "raw"), tables[:-1])
    said = validate(model, tables[-1], _parts(tables[-1]), with_outcomes(), truth)
    newcomers = true_tenants(NEWCOMERS, 1_000 + seed)
    answers = _published(model, newcomers.period(2 * seed + (0 if following else 1)))
    return [
        Validated(each, true_area(dissatisfaction(newcomers, each.kind), answers))
        for each in said.outcomes
        if each.kind in LEVELS
    ]


def true_area(probability_bad: Floats, answers: Floats) -> float:
    """The area under the ROC curve of ``answers`` over all outcomes that these probabilities may bring."""
    order = np.argsort(answers, kind="stable")
    _, tie = np.unique(answers[order], return_inverse=True)
    good, bad = (np.bincount(tie, weights[order]) for weights in (1 - probability_bad, probability_bad))
    return float((bad * (np.cumsum(good) - good / 2)).sum() / (bad.sum() * good.sum()))


def outcomes_of(tenants: TrueTenants, year: FeatureTable, seed: int, folder: Path) -> TenantOutcomes:
    """Surveys of some and complaints of all in the year that ``year`` describes, written and read as a file."""
    folder.mkdir(parents=True)
    write_outcomes(tenants, year, seed, folder / "outcomes.csv")
    rules = with_outcomes()
    source = load_source(USE_CASE_FOLDER, "outcomes", shipped_use_case(), of="outcomes")
    with open_session(folder, time_zone=source.time_zone) as (connection, scratch):
        files = find_raw_files(folder, source, scratch)
        read_outcomes(DuckDbEngine(connection, scratch), files, source, rules, datetime(2100, 1, 1, tzinfo=UTC))
        connection.execute(f"COPY outcomes TO {literal(str(folder / 'outcomes.parquet'))} (FORMAT parquet)")
    found = read_tenant_outcomes(folder, rules.record_id)
    assert found is not None
    return found


def write_outcomes(tenants: TrueTenants, year: FeatureTable, seed: int, path: Path) -> None:
    """Writes the file of outcomes: a survey is 1 or 2 when it is bad, and else 3 to 5."""
    chance, end = np.random.default_rng([seed, 7]), datetime.fromisoformat(year.as_of)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("tenant_id", "at", "kind", "value"))
        for kind in LEVELS:
            bad = chance.random(len(tenants)) < dissatisfaction(tenants, kind)
            told = chance.random(len(tenants)) < ANSWERED if kind == "survey" else bad
            scores = np.where(bad, chance.integers(1, 3, len(bad)), chance.integers(3, 6, len(bad)))
            days = chance.uniform(1, 360, len(bad))
            ids = [f"T{each:06d}" for each in range(len(tenants))]
            for place in np.flatnonzero(told):
                at = end - timedelta(days=float(days[place]))
                rows.writerow((ids[place], at.isoformat(), kind, scores[place] if kind == "survey" else ""))


def _published(model: ServedModel, table: FeatureTable) -> Floats:
    return model.publish(model.scorer.encoding.matrix(table), table.side["exposure_days"]).outputs


def _parts(table: FeatureTable) -> GroupRows:
    """Who trained the model, as the groups of the release say it."""
    labelled = with_label(table)
    unknown = np.full(len(labelled), np.nan)
    return GroupRows(labelled.tenant_id, split_tenants(labelled, use_case()), unknown, unknown, None)


def with_portfolio(table: FeatureTable, slug: str) -> FeatureTable:
    """The same tenants, answered for by another partition."""
    return replace(table, partition_slug=np.full(len(table), slug))


def held(found: Sequence[Validated]) -> int:
    """How often the truth lay in the interval."""
    return sum(each.holds for each in found)
