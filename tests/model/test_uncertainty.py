"""P(bad) beside what it stands for: tenants drawn anew, plainly, with random numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.backtest import with_priors
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.uncertainty import DRAWS, probability_bad
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.served_model import ServedModel
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase
from tests.support.generated_tenants import REAL_TABLE, generated_table, real_table, use_case
from tests.support.parameters import mostly_slow
from tests.support.requirements import needs_shared_data

REDRAWS = 4_000
# What so many random redraws are off themselves: four standard deviations of a share of one half.
NOISE_OF_REDRAWS = 4 * 0.5 / REDRAWS**0.5
TOLERANCE = 0.03


ALL = Partition("all", "all")
THREE = ["good", "opportunity", "bad"]


def grouping_of(table: FeatureTable, rules: UseCase | None = None) -> Grouping:
    grouping, _ = group_partition(table, ALL, rules or use_case(), "r1")
    return with_priors(grouping, table, 365)


def clustered(**changes: Any) -> UseCase:
    rules = use_case()
    update: dict[str, Any] = {"clustering": rules.grouped.model_copy(update=changes)}
    if changes.get("groups") == 3:
        update["labels"] = rules.labels.model_copy(update={"classes": THREE})
    return rules.model_copy(update=update)


@pytest.fixture(scope="module")
def generated() -> FeatureTable:
    """Half of them seen for 100 days; annualised."""
    table = generated_table(1_500, seed=11)
    days = np.where(np.arange(1_500) % 2, 365.0, 100.0)
    return replace(table, side={"exposure_days": days})


@pytest.fixture(scope="module")
def grouping(generated: FeatureTable) -> Grouping:
    return grouping_of(generated)


def redrawn_share(grouping: Grouping, table: FeatureTable) -> np.ndarray:
    """The definition, word for word: first a tenant's true rates, by what is known of it, then its next year."""
    chance = np.random.default_rng(0)
    years = table.side.get("exposure_days", np.full(len(table), 365.0)) / 365
    column = {name: table.column(name) for name in table.features}
    tickets = np.maximum(np.rint(column["total_tickets"] * years), 1)
    matters = np.maximum(np.rint((column["total_tickets"] + column["total_maintenance_tickets"]) * years), 1)
    next_tickets, next_matters = (np.maximum(np.rint(seen / years), 1) for seen in (tickets, matters))
    bad = np.zeros(len(table))
    for _ in range(REDRAWS):
        values = table.values.copy()
        for name in ("escalation_count", "total_maintenance_tickets"):
            prior = grouping.priors[name]
            rate = chance.gamma(prior.strength * prior.mean + column[name] * years) / (prior.strength + years)
            values[:, table.features.index(name)] = chance.poisson(rate)
        for name in ("mean_first_response_hr", "mean_full_resolution_hr"):
            prior = grouping.priors[name]
            mean = (prior.strength * prior.mean + column[name] * matters) / chance.gamma(prior.strength + 1 + matters)
            values[:, table.features.index(name)] = mean * chance.gamma(next_matters) / next_matters
        prior = grouping.priors["negative_rate"]
        hits, misses = (tickets * share for share in (column["negative_rate"], 1 - column["negative_rate"]))
        rate = chance.beta(prior.strength * prior.mean + hits, prior.strength * (1 - prior.mean) + misses)
        rate = chance.binomial(next_tickets.astype(int), rate) / next_tickets
        values[:, table.features.index("negative_rate")] = rate
        bad += np.equal(grouping.assign(replace(table, values=values)), len(grouping.classes) - 1)
    return bad / REDRAWS


def unshrunk_share(grouping: Grouping, table: FeatureTable) -> np.ndarray:
    """The same without priors: what was seen is taken to be the true rate."""
    chance = np.random.default_rng(0)
    days = table.side.get("exposure_days", np.full(len(table), 365.0))
    column = {name: table.column(name) for name in table.features}
    tickets = np.maximum(np.rint(column["total_tickets"] * days / 365), 1).astype(int)
    both = column["total_tickets"] + column["total_maintenance_tickets"]
    matters = np.maximum(np.rint(both * days / 365), 1)
    bad = np.zeros(len(table))
    for _ in range(REDRAWS):
        values = table.values.copy()
        for name in ("escalation_count", "total_maintenance_tickets"):
            values[:, table.features.index(name)] = chance.poisson(column[name] * days / 365) * 365 / days
        for name in ("mean_first_response_hr", "mean_full_resolution_hr"):
            values[:, table.features.index(name)] = column[name] * chance.gamma(matters) / matters
        rate = chance.binomial(tickets, column["negative_rate"]) / tickets
        values[:, table.features.index("negative_rate")] = rate
        bad += np.equal(grouping.assign(replace(table, values=values)), len(grouping.classes) - 1)
    return bad / REDRAWS


def test_it_is_the_share_of_redraws_that_are_bad(grouping: Grouping, generated: FeatureTable) -> None:
    some = generated.take(np.arange(300))
    share = redrawn_share(grouping, some)
    assert np.abs(probability_bad(grouping, some) - share).max() < TOLERANCE + NOISE_OF_REDRAWS
    assert np.count_nonzero((share > 0.2) & (share < 0.8)) > 30


def test_without_priors_what_was_seen_is_the_true_rate(grouping: Grouping, generated: FeatureTable) -> None:
    """Documents of earlier releases have none."""
    some, unshrunk = generated.take(np.arange(300)), grouping.model_copy(update={"priors": {}})
    share = unshrunk_share(unshrunk, some)
    assert np.abs(probability_bad(unshrunk, some) - share).max() < TOLERANCE + NOISE_OF_REDRAWS


def test_a_zero_does_not_stay_zero(grouping: Grouping, generated: FeatureTable) -> None:
    """A tenant without a single escalation or request, and with few tickets, may have a bad year all the same."""
    values = np.zeros((2, len(generated.features)))
    values[:, generated.features.index("answer_rate")] = 0.9
    values[:, generated.features.index("total_tickets")] = 1
    quiet = replace(generated.take(np.arange(2)), values=values, side={"exposure_days": np.array([100.0, 365.0])})
    short, long = probability_bad(grouping, quiet)
    unshrunk = probability_bad(grouping.model_copy(update={"priors": {}}), quiet)
    assert np.all(unshrunk < 0.001)
    assert short > long > 0.005


@needs_shared_data(REAL_TABLE.name)
def test_it_is_so_for_real_households() -> None:
    table = real_table()
    grouping, some = grouping_of(table), table.take(np.arange(0, len(table), 100))
    share = redrawn_share(grouping, some)
    assert np.abs(probability_bad(grouping, some) - share).max() < TOLERANCE + NOISE_OF_REDRAWS
    assert np.mean((share >= 0.5) == grouping.assign(some)) > 0.9


@pytest.mark.parametrize(
    "changes", mostly_slow([{"groups": 3}, {"method": "gaussian_mixture"}], kept=(0,)), ids=["three", "mixture"]
)
def test_it_is_so_by_other_rules(changes: dict[str, Any]) -> None:
    table = generated_table(1_500, seed=11, noise=0.1, lots=changes.get("groups", 2))
    grouping, some = grouping_of(table, clustered(**changes)), table.take(np.arange(200))
    share = redrawn_share(grouping, some)
    assert np.abs(probability_bad(grouping, some) - share).max() < TOLERANCE + NOISE_OF_REDRAWS


def test_three_groups_are_told_by_the_probability_of_each(tmp_path: Path) -> None:
    rules, table = clustered(groups=3), generated_table(1_000, noise=0.1, lots=3)
    grouping, rows = group_partition(table, ALL, rules, "r1")
    settings = parse_settings("xgboost", trainer_named("xgboost"), {"n_estimators": "20", "max_depth": "3"})
    grouping.write(tmp_path)  # first: the model's manifest holds the digest of every file beside it
    TrainingRun(rules, settings, "r1").train_partition(table, rows, ALL, tmp_path)
    model = ServedModel.load(tmp_path)
    answers = model.answers(model.scorer.encoding.matrix(table))
    seen = replace(table, values=table.values.astype(np.float32).astype(np.float64))
    probability, group = probability_bad(grouping, seen).tolist(), grouping.assign(seen).astype(int).tolist()
    assert {answer["label_basis"] for answer in answers} == {"rule", "model"}
    for place, answer in enumerate(answers):
        assert list(answer["probabilities"]) == THREE
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["probabilities"]["bad"] == answer["probability"]
        if answer["label_basis"] == "rule":
            assert (answer["probability"], answer["experience"]) == (probability[place], THREE[group[place]])
        else:
            assert answer["probabilities"][answer["experience"]] == max(answer["probabilities"].values())
            assert answer["probability"] == answer["model_probability"]
        assert 0 < answer["model_probability"] < 1
        assert answer["closeness"] == answer["model_probability"]
    # The reasons of each speak for its own group rather than the next one.
    published = model.publish(model.scorer.encoding.matrix(table))
    reasons = model.reasons(model.scorer.encoding.matrix(table), published)
    assert published.label is not None
    assert np.array_equal(reasons.label, published.label)
    assert (reasons.contributions.sum(axis=1) + reasons.baseline).min() > -1e-5


def test_a_tenant_has_the_same_alone_and_among_others(grouping: Grouping, generated: FeatureTable) -> None:
    together = probability_bad(grouping, generated)
    for row in (0, 63, 64, 1_499):
        assert probability_bad(grouping, generated.take(np.array([row])))[0] == together[row]


def test_a_shorter_time_makes_it_less_sure(grouping: Grouping, generated: FeatureTable) -> None:
    def doubt(days: float) -> float:
        probability = probability_bad(grouping, replace(generated, side={"exposure_days": np.full(1_500, days)}))
        return float((probability * (1 - probability)).mean())

    assert doubt(90) > 1.2 * doubt(365)


def test_an_unknown_exposure_is_a_year(grouping: Grouping, generated: FeatureTable) -> None:
    year = replace(generated, side={"exposure_days": np.full(1_500, 365.0)})
    unknown = replace(generated, side={"exposure_days": np.full(1_500, np.nan)})
    assert np.array_equal(probability_bad(grouping, unknown), probability_bad(grouping, year))
    assert np.array_equal(probability_bad(grouping, replace(generated, side={})), probability_bad(grouping, year))


def test_without_noise_it_is_the_rule(grouping: Grouping, generated: FeatureTable) -> None:
    certain = probability_bad(grouping.model_copy(update={"noise": {}}), generated)
    assert np.array_equal(certain > 0.5, grouping.assign(generated) == 1)
    # So many draws cannot tell less than half a draw.
    least = 0.5 / (DRAWS + 1)
    assert set(certain.tolist()) == {least, 1 - least}


@pytest.mark.parametrize("value", [-5.0, 0.0, 1e12, 1e300])
def test_values_no_tenant_has_still_have_an_answer(grouping: Grouping, generated: FeatureTable, value: float) -> None:
    strange = replace(generated.take(np.arange(3)), values=np.full((3, len(generated.features)), value))
    with np.errstate(invalid="ignore", over="ignore"):
        probability = probability_bad(grouping, strange)
    assert np.all((probability >= 0) & (probability <= 1))
