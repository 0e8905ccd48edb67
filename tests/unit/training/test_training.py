from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.errors import AlgorithmError, PlatformError, UserError
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.file import GroupRows
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.artifact import read_manifest
from tenant_experience.models.scoring import Scorer
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.trainers.xgboost import XGBoostSettings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.costs import Costs
from tests.support.generated_tenants import generated_table, use_case

ALL = Partition("all", "all")
TRAINER = trainer_named("xgboost")
SETTINGS = parse_settings("xgboost", TRAINER, {"n_estimators": "30", "max_depth": "3"})


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    return generated_table(600)


@pytest.fixture(scope="module")
def groups(table: FeatureTable) -> GroupRows:
    return group_partition(table, ALL, use_case(), "r1")[1]


def train(table: FeatureTable, groups: GroupRows, folder: Path) -> dict:
    return TrainingRun(use_case(), SETTINGS, "r1").train_partition(table, groups, ALL, folder)


def test_strings_become_settings_with_defaults() -> None:
    assert isinstance(SETTINGS, XGBoostSettings)
    assert (SETTINGS.n_estimators, SETTINGS.max_depth, SETTINGS.learning_rate) == (30, 3, 0.1)


@pytest.mark.parametrize(
    ("given", "code", "named"),
    [
        ({"max_dept": "4"}, "unknown_hyperparameter", "max_dept"),
        ({"max_depth": "deep"}, "bad_hyperparameter", "max_depth='deep'"),
        ({"max_depth": "0"}, "bad_hyperparameter", "max_depth='0'"),
        ({"learning_rate": "nan"}, "bad_hyperparameter", "learning_rate='nan'"),
    ],
)
def test_wrong_hyperparameters_are_named(given: dict[str, str], code: str, named: str) -> None:
    with pytest.raises(UserError) as refusal:
        parse_settings("xgboost", TRAINER, given)
    assert refusal.value.code == code
    assert named in refusal.value.message


def test_an_unknown_trainer_is_named() -> None:
    with pytest.raises(UserError, match="'oracle' is unknown; use one of"):
        trainer_named("oracle")


def test_same_input_and_settings_give_the_same_bytes(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    digests = set()
    for attempt in ("a", "b"):
        folder = tmp_path / attempt
        train(table, groups, folder)
        digests.add(tuple(hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in ("model.ubj", "model.json")))
    assert len(digests) == 1


def test_only_the_trees_up_to_the_best_round_are_kept(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    import xgboost

    figures = train(table, groups, tmp_path)
    booster = xgboost.Booster(model_file=tmp_path / "model.ubj")
    assert booster.num_boosted_rounds() == figures["rounds"] <= 30


def test_a_feature_without_values_is_left_out_and_said(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    values = table.values.copy()
    values[:, table.features.index("positive_rate")] = np.nan
    figures = train(replace(table, values=values), groups, tmp_path)
    assert figures["left_out_features"] == ["positive_rate"]
    assert "positive_rate" not in read_manifest(tmp_path).features
    assert len(read_manifest(tmp_path).features) == 9


def test_a_feature_alike_for_everyone_is_left_out_and_said(
    table: FeatureTable, groups: GroupRows, tmp_path: Path
) -> None:
    values = table.values.copy()
    values[:, table.features.index("total_tickets")] = 7
    figures = train(replace(table, values=values), groups, tmp_path)
    assert figures["left_out_features"] == ["total_tickets"]


@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_nothing_to_learn_from_is_refused(table: FeatureTable, groups: GroupRows, tmp_path: Path, value: float) -> None:
    with pytest.raises(AlgorithmError, match="every feature has no value or one value only") as refusal:
        train(replace(table, values=np.full_like(table.values, value)), groups, tmp_path)
    assert refusal.value.code == "no_features"


def test_two_tenants_are_refused(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    two = GroupRows(
        groups.tenant_id[:2], np.array(["train", "validation"]), np.zeros(2), np.arange(2.0), groups.classes
    )
    with pytest.raises(AlgorithmError, match="the 1 rows of the train part") as refusal:
        train(table, two, tmp_path)
    assert refusal.value.code == "one_class"


def test_a_number_too_large_for_the_model_is_the_largest(
    table: FeatureTable, groups: GroupRows, tmp_path: Path
) -> None:
    values = table.values.copy()
    values[np.flatnonzero(groups.split == "train")[0], 0] = 1e300
    train(replace(table, values=values), groups, tmp_path)
    scorer = Scorer.load(tmp_path)
    matrix = scorer.encoding.matrix(replace(table, values=values))
    assert np.isfinite(scorer.outputs(matrix)).all()
    assert np.isfinite(scorer.contributions(matrix)).all()


def test_tenants_without_any_feature_are_answered(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    train(table, groups, tmp_path)
    scorer = Scorer.load(tmp_path)
    [probability] = scorer.outputs(np.full((1, 10), np.nan, dtype=np.float32))
    assert 0.1 < probability < 0.9


def test_costs_set_the_threshold(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    rules = use_case().model_copy(update={"costs": Costs(false_alarm=1, miss=4)})
    TrainingRun(rules, SETTINGS, "r1").train_partition(table, groups, ALL, tmp_path)
    scorer = Scorer.load(tmp_path)
    assert scorer.manifest.threshold == pytest.approx(0.2)
    assert scorer.classes(np.array([0.19, 0.21])).tolist() == [0, 1]


def test_one_group_alone_is_refused(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    with pytest.raises(AlgorithmError, match="the 420 rows of the train part have 420 good, 0 bad"):
        train(table, replace(groups, label=np.zeros(600)), tmp_path)


def test_groups_of_another_release_are_refused(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="from different releases"):
        train(table.take(np.arange(500)), groups, tmp_path)


def test_the_test_part_teaches_nothing(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    values = table.values.copy()
    values[groups.split == "test"] = 1e6
    train(table, groups, tmp_path / "a")
    train(replace(table, values=values), groups, tmp_path / "b")
    assert (tmp_path / "a" / "model.ubj").read_bytes() == (tmp_path / "b" / "model.ubj").read_bytes()


def test_the_model_answers_as_a_plain_booster_would(table: FeatureTable, groups: GroupRows, tmp_path: Path) -> None:
    import xgboost

    train(table, groups, tmp_path)
    scorer = Scorer.load(tmp_path)
    matrix = table.matrix(scorer.manifest.features).astype(np.float32)
    booster = xgboost.Booster(model_file=tmp_path / "model.ubj")
    data = xgboost.DMatrix(matrix, feature_names=list(scorer.manifest.features))
    calibration = scorer.manifest.calibration
    assert calibration is not None
    log_odds = calibration.slope * booster.predict(data, output_margin=True).astype(np.float64) + calibration.intercept
    assert np.abs(scorer.outputs(matrix) - 1 / (1 + np.exp(-log_odds))).max() < 1e-6
    bias = log_odds - scorer.contributions(matrix).sum(axis=1)
    assert bias == pytest.approx(np.full(len(bias), bias[0]), abs=1e-4)
