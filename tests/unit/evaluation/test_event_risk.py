"""A list by risk: when it is shipped, what it says otherwise, and that its files forget whoever is erased."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.erasure._html import erase_rows_of_page
from tenant_experience.erasure.file import Eraser
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.evaluation.event_risk import EventRisk, assess_risk
from tenant_experience.features.risk_examples import RiskExamples, risk_columns
from tenant_experience.features.table import FeatureTable
from tenant_experience.pipeline.evaluate_shard import ShardEvaluation
from tenant_experience.report.risk_list import first_at_risk, write_risk_list
from tenant_experience.use_case.risk import Risk
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.source import Source
from tests.support.generated_tenants import generated_table, use_case
from tests.support.judged_partition import Judged

TENANTS, SEEDS = 1_500, 40
MOMENTS = ("2026-07-04", "2026-08-03", "2026-09-02", "2026-10-02")


@pytest.fixture(scope="module")
def risk() -> Risk:
    return Risk.model_validate(
        {"event": "escalation", "where": "escalated", "within": "30d", "count": ["total_tickets", "work_order_count"]}
    )


@pytest.fixture(scope="module")
def rules() -> UseCase:
    return use_case()


def world(rules: UseCase, risk: Risk, seed: int, *, by_count: float, by_wait: float) -> list[RiskExamples]:
    """Tenants at four moments, whose log-odds of an escalation hang on the count and on the hours of resolution."""
    rng, names = np.random.default_rng(seed), risk_columns(risk, rules)
    pace = rng.gamma(2.0, 2.0, TENANTS)
    wait = rng.normal(0, 1, TENANTS)
    found = []
    for moment in MOMENTS:
        values = rng.gamma(2.0, 1.0, (TENANTS, len(names)))
        values[:, : len(risk.count)] = rng.poisson(np.outer(pace, np.ones(len(risk.count))))
        values[:, names.index("mean_full_resolution_hr")] = np.exp(wait + rng.normal(0, 0.3, TENANTS))
        total = values[:, : len(risk.count)].sum(axis=1)
        logit = by_count * (np.log1p(total) - 2.5) + by_wait * wait - 1.5
        happened = rng.random(TENANTS) < 1 / (1 + np.exp(-logit))
        values[rng.random((TENANTS, len(names))) < 0.02] = np.nan
        found.append(RiskExamples(moment, values, happened))
    return found


@pytest.fixture(scope="module")
def asked() -> FeatureTable:
    return generated_table(400, portfolios=("north", "south"))


@pytest.fixture(scope="module")
def shipped(rules: UseCase, risk: Risk, asked: FeatureTable) -> EventRisk:
    found = assess_risk(risk, rules, world(rules, risk, 0, by_count=0.3, by_wait=1.2), asked)
    assert found.is_shipped, found.text
    return found


def test_where_the_count_is_all_there_is_no_list_is_shipped(rules: UseCase, risk: Risk, asked: FeatureTable) -> None:
    listed = 0
    for seed in range(SEEDS):
        found = assess_risk(risk, rules, world(rules, risk, seed, by_count=1.0, by_wait=0), asked)
        listed += found.is_shipped
        assert found.obstacle is None
    assert listed <= 0.05 * SEEDS


def test_where_other_features_matter_a_list_is_shipped(rules: UseCase, risk: Risk, asked: FeatureTable) -> None:
    for seed in range(5):
        found = assess_risk(risk, rules, world(rules, risk, seed, by_count=0.3, by_wait=1.2), asked)
        assert found.is_shipped, found.text
        assert all(origin.low < origin.auc - origin.count < origin.high for origin in found.origins)


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_one_moment_at_which_it_is_no_better_is_enough_for_no_list(
    rules: UseCase, risk: Risk, asked: FeatureTable, place: int
) -> None:
    examples = world(rules, risk, 0, by_count=0.3, by_wait=1.2)
    examples[place] = world(rules, risk, 1, by_count=1.0, by_wait=-1.2)[place]
    found = assess_risk(risk, rules, examples, asked)
    assert not found.is_shipped
    assert found.text.startswith("There is no list of tenants by their risk of escalation within 30 days, because a ")
    assert all(origin.moment in found.text for origin in found.origins)
    assert len(found.tenant_id) == 0


def test_the_list_has_every_tenant_with_enough_history_by_portfolio_and_rank(
    shipped: EventRisk, asked: FeatureTable
) -> None:
    assert sorted(shipped.tenant_id.tolist()) == sorted(asked.tenant_id[asked.history != "insufficient"].tolist())
    for portfolio in ("north", "south"):
        rows = shipped.portfolio_id == portfolio
        assert shipped.rank[rows].tolist() == list(range(1, int(rows.sum()) + 1))
        assert (np.diff(shipped.probability[rows]) <= 0).all()
    assert ((shipped.probability > 0) & (shipped.probability < 1)).all()


@pytest.mark.parametrize(("place", "happened"), [(0, 29), (3, 29), (2, TENANTS - 29), (1, 0)])
def test_too_few_of_one_ending_are_said(
    rules: UseCase, risk: Risk, asked: FeatureTable, place: int, happened: int
) -> None:
    examples = world(rules, risk, 0, by_count=0.3, by_wait=1.2)
    examples[place] = replace(examples[place], happened=np.arange(TENANTS) < happened)
    found = assess_risk(risk, rules, examples, asked)
    assert not found.is_shipped
    assert f"after {MOMENTS[place]}, escalation happened to {happened:,} of 1,500 tenants" in found.text


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_count_that_nobody_knows_is_no_count_to_beat(
    rules: UseCase, risk: Risk, asked: FeatureTable, place: int
) -> None:
    examples = world(rules, risk, 0, by_count=0.3, by_wait=1.2)
    unknown = examples[place].values.copy()
    unknown[:, : len(risk.count)] = np.nan
    examples[place] = replace(examples[place], values=unknown)
    found = assess_risk(risk, rules, examples, asked)
    assert not found.is_shipped
    assert f"the plain count ({', '.join(risk.count)}) is not known of anybody as of {MOMENTS[place]}" in found.text
    unknown[0, 0] = 1.0
    assert assess_risk(risk, rules, examples, asked).obstacle is None


def test_nobody_and_nothing_known_ship_no_names(rules: UseCase, risk: Risk, asked: FeatureTable) -> None:
    examples = world(rules, risk, 0, by_count=0.3, by_wait=1.2)
    none = assess_risk(risk, rules, examples, asked.take(np.arange(0)))
    assert none.is_shipped
    assert first_at_risk(none, 5) == []
    unknown = [replace(each, values=np.full_like(each.values, np.nan)) for each in examples]
    found = assess_risk(risk, rules, unknown, asked)
    assert not found.is_shipped
    assert "is not known of anybody" in found.text
    assert assess_risk(risk, rules, [], asked, "the log is short").text.endswith(": the log is short")
    assert "no moments of the past" in assess_risk(risk, rules, [], asked).text


def test_the_file_has_ids_that_a_spreadsheet_takes_for_text_and_forgets_whoever_is_erased(
    shipped: EventRisk, tmp_path: Path
) -> None:
    ids = shipped.tenant_id.astype("<U20")
    ids[0] = "=cmd()"
    risk = replace(shipped, tenant_id=ids)
    write_risk_list(risk, tmp_path, "tenant_id")
    path, target = tmp_path / "escalation_risk.csv", tmp_path / "target"
    rows = list(csv.DictReader(path.open()))
    assert list(rows[0]) == ["portfolio_id", "tenant_id", "rank", "probability"]
    assert (len(rows), rows[0]["tenant_id"]) == (len(ids), " =cmd()")
    name = str(ids[7])
    source = Source.model_validate({"kind": "table", "columns": {"tenant_id": "tenant_id"}})
    with RawMapping.open(source, "tenant_id", ErasedId((name,))) as mapping:
        eraser = Eraser(ErasedId((name,)), "tenant_id", mapping, is_raw=False)
        found = eraser.erase(path, "reports/r1/0/escalation_risk.csv", target)
    assert (found.removed, found.left) == (1, "rewritten")
    assert target.read_text().splitlines() == [
        line for line in path.read_text().splitlines() if f",{name}," not in line
    ]


def test_without_a_list_there_is_no_file(shipped: EventRisk, tmp_path: Path) -> None:
    write_risk_list(replace(shipped, origins=[]), tmp_path, "tenant_id")
    write_risk_list(None, tmp_path, "tenant_id")
    assert not list(tmp_path.iterdir())


def test_the_report_and_the_approver_are_told(judged: Judged, shipped: EventRisk, tmp_path: Path) -> None:
    page = judged.report(risk=shipped)
    assert shipped.text in page
    assert 'href="#risk"' in page
    assert "escalation_risk.csv" in page
    [(portfolio, rows), *_] = first_at_risk(shipped, 5)
    assert [row.rank for row in rows] == [1, 2, 3, 4, 5]
    assert f'aria-label="Risk of escalation in {portfolio}"' in page
    assert all(f"{row.rank}. {row.tenant_id}</th>" in page for row in rows)
    section = page[page.index('<section id="risk">') :]
    erased = erase_rows_of_page(section, ErasedId((rows[0].tenant_id,)))
    assert erased.rows >= 1
    assert f"{rows[0].tenant_id}</th>" not in erased.content
    document = json.loads(json.dumps(shipped.document()))
    assert document["is_shipped"]
    assert not any(str(name) in json.dumps(document) for name in shipped.tenant_id[:20])

    nothing = EventRisk("escalation", "escalation", 30, "tenants", obstacle="the log is <short>")
    page = judged.report(risk=nothing)
    assert "There is no list of tenants by their risk of escalation within 30 days: the log is &lt;short&gt;." in page
    assert "escalation_risk.csv" not in page
    assert 'id="risk"' not in judged.report()

    for given, wanted in ((shipped, True), (nothing, False), (None, False)):
        shard = ShardEvaluation("r1", judged.use_case, judged.table, *[tmp_path] * 3, lambda _: None, None, risk=given)
        shard.ready.append(judged.evaluation)
        assert any("risk of escalation" in note for note in shard._notes(judged.evaluation)) == wanted
        assert ("risk" in shard.document(0)) == (given is not None)
