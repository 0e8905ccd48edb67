"""How ids are spelled decides nothing: other ids give the same labels, the same model and the same evaluation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenant_experience.evaluation.partition import evaluate_partition
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.file import GroupRows, read_groups, to_arrow, write_groups
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tests.support.generated_tenants import generated_table, other_ids, use_case, write_table

ALL = Partition("all", "all")
COUNT = 900


@dataclass(frozen=True)
class Made:
    """What a release makes of a table."""

    labels: dict[str, float]
    split: list[str]
    model: bytes
    evaluation: dict[str, Any]
    smoke_test: list[Any]


def made(table: FeatureTable, folder: Path, order: np.ndarray | None = None) -> Made:
    """Clusters, trains and evaluates as the scripts do, over files."""
    folder.mkdir()
    write_table(table, folder / "features.parquet", order)
    read = read_features(folder / "features.parquet", use_case())
    grouping, clustered = group_partition(read, ALL, use_case(), "r1")
    write_groups([to_arrow(clustered, "all")], folder / "groups.parquet")
    rows: GroupRows = read_groups(folder / "groups.parquet", "all", use_case().labels)
    grouping.write(folder)
    settings = parse_settings("xgboost", trainer_named("xgboost"), {"n_estimators": "20"})
    TrainingRun(use_case(), settings, "r1").train_partition(read, rows, ALL, folder)
    evaluation = evaluate_partition(read, rows, folder, use_case())
    return Made(
        labels=dict(zip(rows.tenant_id.tolist(), rows.label.tolist(), strict=True)),
        split=rows.split.tolist(),
        model=(folder / "model.ubj").read_bytes(),
        evaluation=evaluation.document(),
        smoke_test=[(sample.instance | {"tenant_id": ""}, sample.answer) for sample in evaluation.smoke_test],
    )


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    """Tenants of two portfolios, some of whom are alike in all features, within a portfolio and across."""
    table = generated_table(COUNT, noise=0.2, portfolios=("north", "south"))
    values = table.values.copy()
    values[600:660] = values[600]
    return replace(table, values=values)


@pytest.fixture(scope="module")
def expected(table: FeatureTable, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(table, tmp_path_factory.mktemp("ids") / "release")


@pytest.mark.parametrize("renaming", ["pseudonyms", "the opposite order", "unlike lengths"])
def test_other_ids_move_no_label_and_change_no_byte(
    table: FeatureTable, expected: Made, renaming: str, tmp_path: Path
) -> None:
    ids = {
        "pseudonyms": other_ids(table, "key"),
        "the opposite order": [f"Z{COUNT - number:06d}" for number in range(COUNT)],
        "unlike lengths": [str(number) for number in range(COUNT)],
    }[renaming]
    order = np.random.default_rng(3).permutation(COUNT)
    found = made(replace(table, tenant_id=np.asarray(ids)), tmp_path / "release", order)
    assert found.model == expected.model
    assert found.evaluation == expected.evaluation
    assert found.smoke_test == expected.smoke_test
    assert found.split == expected.split
    old = dict(zip(ids, table.tenant_id.tolist(), strict=True))
    assert {old[name]: label for name, label in found.labels.items()} == expected.labels


def test_tenants_that_are_alike_are_spread_over_the_parts(table: FeatureTable) -> None:
    read = table.in_order_of_content()
    _, rows = group_partition(read, ALL, use_case(), "r1")
    alike = (read.values == np.nan_to_num(table.values[600], nan=-1)).sum(axis=1) >= 9
    assert alike.sum() >= 60
    assert min(Counter(rows.split[alike].tolist()).values()) >= 2


def test_a_category_counts_by_its_name_whichever_others_occur(table: FeatureTable) -> None:
    name = table.features[0]
    few, more = {name: ("b", "d")}, {name: ("a", "b", "c", "d")}
    values = table.values.copy()
    values[:, 0] = np.arange(COUNT) % 2
    values[0, 0] = np.nan
    other = values.copy()
    other[:, 0] = 2 * values[:, 0] + 1
    keys = [
        replace(table, values=matrix, categories=categories).row_keys()
        for matrix, categories in ((values, few), (other, more))
    ]
    assert np.array_equal(*keys)
