"""A score trained on outcomes, beside the published answers: when it is offered, and what it says."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tenant_experience.erasure.file import Eraser
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.evaluation.outcome_validation import OutsideTruth, supervised_scores
from tenant_experience.evaluation.supervised_score import SupervisedScore, compare_score, cross_fitted
from tenant_experience.features.table import FeatureTable
from tenant_experience.features.tenant_outcomes import TenantOutcomes
from tenant_experience.models.served_model import ServedModel
from tenant_experience.pipeline.evaluate_shard import _better_scores
from tenant_experience.report.outcome_scores import write_outcome_scores
from tenant_experience.use_case.source import Source
from tests.support.judged_partition import Judged
from tests.support.known_satisfaction import with_outcomes

AFTER = np.datetime64("2026-11-06T00:00:00")


def published(model: ServedModel, table: FeatureTable) -> np.ndarray:
    return model.publish(model.scorer.encoding.matrix(table), table.side.get("exposure_days")).outputs


def drawn(logit: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(len(logit)) < 1 / (1 + np.exp(-logit))


def standardised(table: FeatureTable, name: str) -> np.ndarray:
    column = np.log1p(table.column(name))
    return (column - column.mean()) / column.std()


def surveyed(table: FeatureTable, bad: np.ndarray) -> TenantOutcomes:
    count = len(bad)
    kinds, scores = np.full(count, "survey"), np.where(bad, 1.0, 5.0)
    return TenantOutcomes(table.tenant_id[:count], np.full(count, AFTER, "datetime64[us]"), kinds, scores)


def scored(judged: Judged, model: ServedModel, bad: np.ndarray) -> list[SupervisedScore]:
    truth = OutsideTruth(surveyed(judged.table, bad))
    return supervised_scores(model, judged.table, judged.groups, with_outcomes(), truth)


def by_what_no_group_is_about(table: FeatureTable, count: int, seed: int = 0) -> np.ndarray:
    """Endings that hang on one feature which is no marker."""
    return drawn(2.0 * standardised(table, "outbound_call_count")[:count] - 0.5, seed)


def test_outcomes_that_the_groups_do_not_know_of_are_told_better_by_the_score(
    judged: Judged, model: ServedModel
) -> None:
    bad = by_what_no_group_is_about(judged.table, 300)
    [found] = scored(judged, model, bad)
    some = judged.table.take(np.arange(300))
    assert (found.kind, found.tenants, found.bad, found.period) == ("survey", 300, int(bad.sum()), "following")
    assert found.published == pytest.approx(roc_auc_score(bad, published(model, some)))
    assert found.auc == pytest.approx(roc_auc_score(bad, cross_fitted(some, bad, with_outcomes())))
    assert found.low < found.auc - found.published < found.high
    assert found.is_better
    assert "tells better than the published answers" in found.text
    assert found.tenant_id.tolist() == judged.table.tenant_id.tolist()
    best = roc_auc_score(bad, standardised(judged.table, "outbound_call_count")[:300])
    assert found.auc > best - 0.03


def test_outcomes_that_follow_the_published_answers_need_no_score(judged: Judged, model: ServedModel) -> None:
    some = judged.table.take(np.arange(400))
    answers = published(model, some)
    chance = np.clip(answers, 1e-3, 1 - 1e-3)
    better = 0
    for seed in range(40):
        bad = drawn(np.log(chance / (1 - chance)), seed)
        found = compare_score("survey", "surveys", "following", some, bad, answers, with_outcomes())
        better += found.is_better
    assert better <= 2  # 2.5% of 40 are expected at most


@pytest.mark.parametrize(("count", "bad_ones"), [(99, 40), (300, 19), (300, 281)])
def test_too_few_outcomes_give_no_score(count: int, bad_ones: int, judged: Judged, model: ServedModel) -> None:
    bad = np.arange(count) < bad_ones
    assert scored(judged, model, bad) == []


def test_a_tenant_is_scored_by_a_regression_that_did_not_see_it(judged: Judged) -> None:
    """On endings drawn by a coin, a score that had seen them would look good."""
    areas = []
    for seed in range(20):
        bad = drawn(np.zeros(200), seed)
        areas.append(roc_auc_score(bad, cross_fitted(judged.table.take(np.arange(200)), bad, with_outcomes())))
    assert abs(np.mean(areas) - 0.5) < 0.04


def test_missing_features_and_one_value_for_all_are_no_obstacle(judged: Judged) -> None:
    table = judged.table.take(np.arange(200))
    values = table.values.copy()
    values[::3, 0] = np.nan
    values[:, 1], values[:, 2] = np.nan, 7.0
    table = replace(table, values=values)
    bad = by_what_no_group_is_about(judged.table, 200)
    found = compare_score("survey", "surveys", "following", table, bad, np.full(200, 0.5), with_outcomes())
    assert found.published == pytest.approx(0.5)
    assert np.isfinite([found.auc, found.low, found.high]).all()


def test_a_partition_whose_tenants_are_all_gone_now_has_nobody_to_score(judged: Judged) -> None:
    table = judged.table
    bad = by_what_no_group_is_about(table, len(table))
    better = compare_score("survey", "surveys", "following", table, bad, np.zeros(len(table)), judged.use_case)
    assert better.is_better
    nobody = table.take(np.zeros(len(table), dtype=bool))
    asked = better.for_tenants(table, bad, nobody, judged.use_case)
    assert (len(asked.tenant_id), len(asked.probability_bad)) == (0, 0)


def written(judged: Judged, scores: Sequence[SupervisedScore], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    evaluation = replace(judged.evaluation, supervised=list(scores))
    write_outcome_scores([evaluation], folder, with_outcomes().record_id)
    return folder / "outcome_scores.csv"


def test_the_approver_gets_a_list_only_of_a_better_score(judged: Judged, model: ServedModel, tmp_path: Path) -> None:
    [better] = scored(judged, model, by_what_no_group_is_about(judged.table, 300))
    path = written(judged, [better], tmp_path)
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == len(judged.table)
    chances = [float(row["probability_bad"]) for row in rows]
    assert chances == sorted(chances, reverse=True)
    assert {row["outcome"] for row in rows} == {"survey"}
    feature = dict(zip(judged.table.tenant_id, judged.table.column("outbound_call_count"), strict=True))
    calls = [feature[row["tenant_id"]] for row in rows]
    assert np.mean(calls[:100]) > 2 * np.mean(calls[-100:])
    assert _better_scores(replace(judged.evaluation, supervised=[better])) == [f"{better.text}."]
    told = replace(judged, evaluation=replace(judged.evaluation, supervised=[better])).report()
    assert better.text in told
    document = json.loads(json.dumps(replace(judged.evaluation, supervised=[better]).document()["supervised"]))
    assert document[0]["is_better"]
    assert "tenant_id" not in document[0]

    worse = replace(better, low=-0.01)
    assert "is not better" in worse.text
    assert not written(judged, [worse], tmp_path / "none").exists()
    assert _better_scores(replace(judged.evaluation, supervised=[worse])) == []


def test_an_erasure_takes_a_tenant_out_of_the_list(judged: Judged, model: ServedModel, tmp_path: Path) -> None:
    [better] = scored(judged, model, by_what_no_group_is_about(judged.table, 300))
    path, target = written(judged, [better], tmp_path), tmp_path / "target"
    name = str(judged.table.tenant_id[5])
    source = Source.model_validate({"kind": "table", "columns": {"tenant_id": "tenant_id"}})
    with RawMapping.open(source, "tenant_id", ErasedId((name,))) as mapping:
        eraser = Eraser(ErasedId((name,)), "tenant_id", mapping, is_raw=False)
        found = eraser.erase(path, "reports/r1/0/outcome_scores.csv", target)
    assert (found.removed, found.left) == (1, "rewritten")
    before = path.read_text().splitlines()
    assert target.read_text().splitlines() == [line for line in before if f",{name}," not in line]
