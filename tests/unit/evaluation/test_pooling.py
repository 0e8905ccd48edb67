"""The table own / pooled / global: what it says, what it warns of, and where it stands in the report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.evaluation.partition import evaluate_partition
from tenant_experience.evaluation.pooling import PoolingComparison
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.models.served_model import ServedModel
from tenant_experience.report.action_files import report_actions
from tenant_experience.report.report import ShardReport
from tenant_experience.statistics.splitting import TEST
from tenant_experience.use_case.schema import UseCase
from tests.support.pooled_model import train_pooled
from tests.support.simulated_portfolios import Differences, Portfolios, pooled_use_case

SIZES = [900] * 3 + [200] * 12


@dataclass(frozen=True)
class Evaluated:
    evaluation: PartitionEvaluation
    table: FeatureTable
    groups: GroupRows
    use_case: UseCase
    folder: Path

    @property
    def pooling(self) -> PoolingComparison:
        assert self.evaluation.pooling
        return self.evaluation.pooling


def evaluated(differences: Differences, folder: Path, *, number: bool = False) -> Evaluated:
    table, _ = Portfolios.draw(len(SIZES), differences, 1).tenants(SIZES, 1, number=number)
    table, rules = table.in_order_of_content(), pooled_use_case(number=number)
    groups = train_pooled(table, rules, folder, own=True)
    return Evaluated(evaluate_partition(table, groups, folder, rules), table, groups, rules, folder)


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    return evaluated(Differences(levels=1), tmp_path_factory.mktemp("levels"))


def test_all_three_are_measured_on_the_same_tenants(levels: Evaluated) -> None:
    pooling = levels.pooling
    test = int((levels.groups.split == TEST).sum())
    assert pooling.whole.tenants == sum(row.tenants for row in pooling.partitions) == test
    assert [row.partition for row in pooling.partitions if row.own] == ["P0000", "P0001", "P0002"]
    for row in pooling.partitions:
        assert row.pooled_above_global.mean == pytest.approx(row.pooled.mean - row.global_model.mean)
        assert row.level is not None
        for loss in (row.pooled, row.global_model):
            assert loss.low < loss.mean < loss.high


def test_what_is_compared_and_gated_is_what_is_published(levels: Evaluated) -> None:
    model = ServedModel.load(levels.folder)
    chosen = levels.groups.align(levels.table).take(levels.groups.split == TEST)
    told = np.array([row["probability"] for row in model.answers(model.scorer.encoding.matrix(chosen))])
    labels = levels.groups.label[levels.groups.split == TEST]
    loss = -np.log(np.where(labels == 1, told, 1 - told)).mean()
    assert levels.pooling.whole.pooled.mean == pytest.approx(loss)
    assert levels.evaluation.metrics["log_loss"] == pytest.approx(loss)


def test_levels_that_differ_are_taken_and_are_the_best(levels: Evaluated) -> None:
    pooling = levels.pooling
    assert pooling.taken == "pooled"
    assert pooling.is_best
    assert pooling.whole.pooled_above_global.high < 0
    assert pooling.sentence.startswith("Taken: pooled (a level")
    assert pooling.sentence.endswith("This is the best within the noise.")
    assert not pooling.warnings


def test_where_own_models_are_surely_better_the_report_warns(tmp_path: Path) -> None:
    """Each feature means something else in each portfolio: no level can say that."""
    found = evaluated(Differences(features=2.5), tmp_path)
    assert not found.pooling.is_best
    (warning,) = [words for words in found.evaluation.warnings if "a model of their own" in words]
    assert "P0000" in warning
    assert "models.scope: per_partition" in warning
    assert "best within" not in found.pooling.sentence


def test_numbers_are_compared_by_squared_error(tmp_path: Path) -> None:
    pooling = evaluated(Differences(levels=2), tmp_path, number=True).pooling
    assert pooling.loss == "squared error"
    assert pooling.whole.pooled.mean < 0.7 * pooling.whole.global_model.mean


def test_where_nothing_differs_nothing_is_called_worse(tmp_path: Path) -> None:
    pooling = evaluated(Differences(), tmp_path).pooling
    assert pooling.is_best
    assert pooling.whole.pooled_above_global.mean < 0.003


def test_the_report_and_evaluation_json_have_the_table(levels: Evaluated) -> None:
    slug = levels.evaluation.manifest.slug
    actions = report_actions(levels.table, levels.use_case, [levels.evaluation], {slug: levels.groups})
    page = ShardReport("r1", 0, levels.use_case, rows=[], ready=[levels.evaluation], pictures={}, actions=actions)
    html = " ".join(page.render().split())
    assert "Own, pooled and global" in html
    assert levels.pooling.sentence in html
    assert '<th scope="row">P0002</th>' in html
    document = json.loads(json.dumps(levels.evaluation.document(), allow_nan=False))["pooling"]
    assert document["taken"] == "pooled"
    assert len(document["partitions"]) == len(SIZES)
    assert document["partitions"][0]["own"]["mean"] > 0


def test_the_partition_is_one_of_the_features_of_the_smoke_test(levels: Evaluated) -> None:
    model = ServedModel.load(levels.folder)
    for sample in levels.evaluation.smoke_test:
        assert sample.instance["features"]["portfolio"] in model.scorer.manifest.categories["portfolio"]
        assert sample.answer["level_basis"] == "partition"
