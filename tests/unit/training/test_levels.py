"""Levels on top of one model: what they are worth where the truth is known, and that they can be made again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.data_layout import partition_slug
from tenant_experience.errors import AlgorithmError
from tenant_experience.models.artifact import read_manifest
from tenant_experience.models.served_model import ServedModel
from tenant_experience.training import levels
from tests.support.generated_tenants import other_ids
from tests.support.pooled_model import train_pooled
from tests.support.simulated_portfolios import Differences, Portfolios, pooled_use_case

SIZES = [30, 60, 90, 300] * 10
NEW = 200


def excess(differences: Differences, folder: Path, trainer: str = "xgboost") -> tuple[float, float, str]:
    """Mean excess log loss of small portfolios without and with levels, on tenants that the model has not seen."""
    portfolios = Portfolios.draw(len(SIZES), differences, 1)
    known, _ = portfolios.tenants(SIZES, 1)
    rules = pooled_use_case().model_copy(update={"trainer": trainer})
    if trainer != "xgboost":
        rules = rules.model_copy(update={"hyperparameters": {}})
    train_pooled(known.in_order_of_content(), rules, folder)
    model = ServedModel.load(folder)
    new, truth = portfolios.tenants([NEW] * len(SIZES), 2)
    small = np.isin(new.portfolio_id, [name for name, size in zip(portfolios.names, SIZES, strict=True) if size < 100])
    matrix = model.scorer.encoding.matrix(new)[small]
    true, without = 1 / (1 + np.exp(-truth[small])), matrix.copy()
    without[:, -1] = np.nan

    def over(outputs: np.ndarray) -> float:
        return float((true * np.log(true / outputs) + (1 - true) * np.log((1 - true) / (1 - outputs))).mean())

    taken = model.scorer.manifest.levels
    assert taken
    return over(model.publish(without).outputs), over(model.publish(matrix).outputs), taken.taken


@pytest.mark.parametrize("trainer", ["xgboost", "hist_gradient_boosting", "linear"])
def test_where_levels_differ_they_take_half_of_the_excess_loss(tmp_path: Path, trainer: str) -> None:
    plain, pooled, taken = excess(Differences(levels=0.8), tmp_path, trainer)
    assert taken == "level"
    assert pooled < 0.6 * plain


def test_where_nothing_differs_they_cost_nothing(tmp_path: Path) -> None:
    plain, pooled, _ = excess(Differences(), tmp_path)
    assert pooled < plain + 0.002


def test_where_slopes_differ_they_are_taken(tmp_path: Path) -> None:
    plain, pooled, taken = excess(Differences(levels=0.6, slope=0.7), tmp_path)
    assert taken == "level_and_slope"
    assert pooled < 0.7 * plain


def test_other_ids_and_another_training_give_the_same_bytes(tmp_path: Path) -> None:
    table, _ = Portfolios.draw(10, Differences(levels=0.6), 3).tenants([80] * 10, 3)
    rules = pooled_use_case()
    ids = np.asarray(other_ids(table, "key"))
    order = np.random.default_rng(0).permutation(len(table))
    tables = (table, table, replace(table, tenant_id=ids).take(order))
    for number, each in enumerate(tables):
        train_pooled(each.in_order_of_content(), rules, tmp_path / str(number))
    for name in ("model.ubj", "model.json"):
        assert len({(tmp_path / str(number) / name).read_bytes() for number in range(len(tables))}) == 1


def test_levels_of_numbers_are_additive(tmp_path: Path) -> None:
    portfolios = Portfolios.draw(12, Differences(levels=3), 4)
    table, _ = portfolios.tenants([150] * 12, 4, number=True)
    train_pooled(table.in_order_of_content(), pooled_use_case(number=True), tmp_path)
    model = ServedModel.load(tmp_path)
    new, truth = portfolios.tenants([NEW] * 12, 5, number=True)
    matrix = model.scorer.encoding.matrix(new)
    without = matrix.copy()
    without[:, -1] = np.nan
    error, plain = (((model.publish(each).outputs - truth) ** 2).mean() for each in (matrix, without))
    assert error < 0.2 * plain


def test_more_partitions_than_model_json_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "MANIFEST_LIMIT", 8_000)
    table, _ = Portfolios.draw(200, Differences(), 5).tenants([5] * 200, 5)
    with pytest.raises(AlgorithmError, match=r"levels of 200 partitions take \d+ bytes.*models.scope: global"):
        train_pooled(table.in_order_of_content(), pooled_use_case(), tmp_path)


def test_own_models_are_trained_for_the_large_partitions_only(tmp_path: Path) -> None:
    table, _ = Portfolios.draw(3, Differences(), 6).tenants([500, 399, 600], 6)
    train_pooled(table.in_order_of_content(), pooled_use_case(), tmp_path, own=True)
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == [
        partition_slug(name) for name in ("P0000", "P0002")
    ]
    assert read_manifest(tmp_path / "own" / partition_slug("P0002")).levels is None


def test_tenants_without_a_partition_get_no_level(tmp_path: Path) -> None:
    table, _ = Portfolios.draw(2, Differences(), 7).tenants([400, 400], 7)
    nameless = replace(table, portfolio_id=np.where(table.portfolio_id == "P0001", "", table.portfolio_id))
    train_pooled(nameless.in_order_of_content(), pooled_use_case(), tmp_path / "some")
    assert read_manifest(tmp_path / "some").categories["portfolio"] == ("P0000",)
    train_pooled(
        replace(table, portfolio_id=np.full(800, "")).in_order_of_content(), pooled_use_case(), tmp_path / "no"
    )
    assert read_manifest(tmp_path / "no").levels is None
