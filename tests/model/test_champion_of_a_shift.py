"""Everybody waits longer, and the groups are kept: the new model is not refused for what the labels of now cannot say.

Each release shrinks what it saw of a tenant towards its own tenants. Here the tenants of two releases differ by a
factor, so they shrink differently, although both have the same rule and no label differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.evaluation.champion import Champion, ChampionComparison, champion_comparison
from tenant_experience.evaluation.evaluation import PartitionEvaluation
from tenant_experience.evaluation.partition import LiveModel, evaluate_partition
from tenant_experience.evaluation.scored_rows import published
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.backtest import fit_next_period, followed_tenants, with_priors
from tenant_experience.groups.earlier_rules import EarlierRules, choose_groups, read_rules
from tenant_experience.groups.file import GroupRows
from tenant_experience.jobs.partition_runs import Partition, PartitionOutcome
from tenant_experience.models.served_model import ServedModel
from tenant_experience.pipeline.evaluate_shard import ShardEvaluation
from tenant_experience.statistics.splitting import TRAIN
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.group_choice import FIND_NEW, KEEP
from tests.support.generated_tenants import generated_table, shipped_use_case, slower
from tests.support.parameters import mostly_slow

ALL = Partition("all", "all")
FACTORS = (1.5, 2.0, 4.0)
USE_CASE = shipped_use_case()


@dataclass(frozen=True)
class Releases:
    """A live release of 1,500 generated tenants, and later ones of the same tenants, who wait longer."""

    base: Path

    def make(self, factor: float, release: str) -> tuple[FeatureTable, GroupRows]:
        """Groups, by the rule of the live release if there is one, and a model in the release's folder."""
        table, folder = slower(generated_table(1_500, seed=4), factor).in_order_of_content(), self.base / release
        live = self.base / "live"
        earlier, choice = (read_rules(live), KEEP) if live.exists() else (EarlierRules(), FIND_NEW)
        grouped = choose_groups(table, ALL, USE_CASE, release, choice, earlier)
        training = grouped.rows.align(table).take(grouped.rows.split == TRAIN)
        rule = with_priors(grouped.grouping, training, USE_CASE.history.window_days)
        rule, next_period = fit_next_period(rule, training, [followed_tenants(table)])
        folder.mkdir()
        for document in (rule, next_period, grouped.yardstick):
            document.write(folder)
        settings = parse_settings(USE_CASE.trainer, trainer_named(USE_CASE.trainer), {})
        TrainingRun(USE_CASE, settings, release).train_partition(table, grouped.rows, ALL, folder)
        return table, grouped.rows

    @property
    def live(self) -> Champion:
        return Champion("live", self.base / "live")

    @cache  # noqa: B019 - of a few releases, for the whole module
    def judged(self, factor: float) -> PartitionEvaluation:
        table, rows = self.make(factor, f"x{factor:g}")
        earlier = generated_table(1_500, seed=4).in_order_of_content()
        return evaluate_partition(table, rows, self.base / f"x{factor:g}", USE_CASE, LiveModel(self.live, earlier))

    def of_strangers(self, factor: float) -> ChampionComparison:
        """The comparison on many tenants of the same kind, none of whom either model was fitted on."""
        self.judged(factor)
        table = slower(generated_table(6_000, seed=1_004), factor)
        table = replace(table, tenant_id=np.char.add("S", table.tenant_id)).in_order_of_content()
        model = ServedModel.load(self.base / f"x{factor:g}")
        assert model.grouping is not None
        rows = published(model, model.scorer.encoding.matrix(table), model.grouping.assign(table)).rows
        return champion_comparison(self.live, model, rows, table, words=USE_CASE.words)


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    releases = Releases(tmp_path_factory.mktemp("releases"))
    releases.make(1.0, "live")
    return releases


@pytest.mark.parametrize("factor", mostly_slow(FACTORS, kept=(0,)))
def test_a_release_in_which_all_wait_longer_keeps_every_gate_of_models(releases: Releases, factor: float) -> None:
    judged = releases.judged(factor)
    assert [gate.name for gate in judged.gates if not gate.passed] == []
    assert judged.champion is not None
    assert judged.champion.verdict in ("equal", "better")


@pytest.mark.parametrize("factor", mostly_slow(FACTORS, kept=(0,)))
def test_what_both_say_of_tenants_whose_markers_are_all_known_is_equal(releases: Releases, factor: float) -> None:
    compared = releases.of_strangers(factor).metrics["log_loss"]
    assert abs(compared.difference) < 0.005


def test_of_strangers_with_gaps_the_model_that_was_fitted_to_the_shift_is_better(releases: Releases) -> None:
    compared = releases.of_strangers(4.0).with_gaps["log_loss"]
    assert compared.high < -0.03


def test_the_share_of_bad_by_the_live_rule_rises_with_the_factor(releases: Releases) -> None:
    shares = [
        judged.yardstick.frozen.whole.share
        for judged in map(releases.judged, FACTORS)
        if judged.yardstick and judged.yardstick.frozen
    ]
    assert len(shares) == len(FACTORS)
    assert shares == sorted(set(shares))


def test_a_model_that_another_gate_refuses_says_it_beside_the_message(releases: Releases) -> None:
    judged, nowhere = releases.judged(4.0), releases.base / "nowhere"
    table = generated_table(100)
    shard = ShardEvaluation("x4", USE_CASE, table, nowhere, nowhere, nowhere, lambda _slug: None, None)
    refused = PartitionOutcome.failed(ALL, "algorithm", "gate_roc_auc", "the ROC AUC is too small")
    assert shard.with_notes(refused) == refused
    shard.refused.append(judged)
    told = shard.with_notes(refused)
    assert told.as_row()["notes"] == judged.yardstick_sentences
    assert judged.yardstick_sentences[0].startswith("Surely more tenants are bad than in release live")
    assert (told.message, told.code) == (refused.message, refused.code)
