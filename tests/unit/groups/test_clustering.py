from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.clustering import fit_grouping, group_partition
from tenant_experience.groups.file import GroupRows, read_groups, to_arrow, write_groups
from tenant_experience.groups.grouping import Grouping
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.statistics.threads import one_thread
from tests.support.generated_tenants import generated_table, true_lots, use_case, write_table

ALL = Partition("all", "all")
USE_CASE = use_case()


def group(table: FeatureTable, partition: Partition = ALL) -> tuple[Grouping, GroupRows]:
    return group_partition(table, partition, USE_CASE, "r1")


def with_column(table: FeatureTable, name: str, values: np.ndarray | float) -> FeatureTable:
    matrix = table.values.copy()
    matrix[:, table.features.index(name)] = values
    return replace(table, values=matrix)


def test_the_bad_group_is_worse_on_every_marker_and_on_the_check() -> None:
    grouping, rows = group(generated_table(1_500))
    assert all(marker.probability_worse > 0.6 for marker in grouping.markers)
    assert grouping.checks["work_order_count"] is not None
    assert grouping.checks["work_order_count"] > 0.6
    assert grouping.mean_scores["bad"] > grouping.mean_scores["good"]
    assert rows.score[rows.bad].mean() > rows.score[~rows.bad].mean()


def test_the_rule_recovers_a_known_truth() -> None:
    _, rows = group(generated_table(1_500, seed=5, noise=0.15))
    assert np.mean(rows.bad == true_lots(1_500, seed=5)) > 0.95


@pytest.mark.slow
def test_fifty_row_orders_change_no_label(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    write_table(generated_table(600), path)
    table = read_features(path, USE_CASE)
    _, expected = group(table)
    for seed in range(50):
        write_table(table, path, np.random.default_rng(seed).permutation(len(table)))
        shuffled = read_features(path, USE_CASE)
        # What is read is the same; that the same gives the same is asked of some.
        assert np.array_equal(shuffled.values, table.values, equal_nan=True)
        assert np.array_equal(shuffled.tenant_id, table.tenant_id)
        if seed % 10 == 0:
            _, rows = group(shuffled)
            assert np.array_equal(rows.label, expected.label)
            assert np.array_equal(rows.split, expected.split)


def test_grouping_json_carries_all_it_takes_to_assign_a_new_tenant(tmp_path: Path) -> None:
    grouping, rows = group(generated_table(800))
    grouping.write(tmp_path)
    read = Grouping.read(tmp_path)
    assert read == grouping
    assert np.array_equal(read.assign(generated_table(800)), rows.label)


def test_only_the_training_part_decides() -> None:
    table = generated_table(800)
    grouping, rows = group(table)
    again, _ = group(table)
    with one_thread():
        alone = fit_grouping(table.take(rows.split == "train"), ALL, USE_CASE, "r1")
    assert alone == again == grouping


def test_tenants_that_may_not_train_get_a_group_and_no_part() -> None:
    table = generated_table(1_000, noise=0.2)
    may_train, history = table.may_train.copy(), table.history.astype("<U12")
    may_train[:100], history[:50], history[50:100] = False, "insufficient", "provisional"
    _, rows = group(replace(table, may_train=may_train, history=history))
    assert len(rows.tenant_id) == 950
    assert set(rows.split[:50]) == {""}
    assert "" not in rows.split[50:]


def test_a_marker_without_values_or_variation_is_left_out_and_said() -> None:
    table = with_column(with_column(generated_table(800), "negative_rate", np.nan), "escalation_count", 0.0)
    grouping, _ = group(table)
    assert grouping.left_out == {"negative_rate": "null for every tenant", "escalation_count": "0 for every tenant"}
    assert len(grouping.markers) == 4


def test_gaps_are_filled_with_the_recorded_median() -> None:
    table = generated_table(800)
    grouping, _ = group(table)
    gap, filled = table.take(np.array([0])), table.take(np.array([0]))
    marker = next(marker for marker in grouping.markers if marker.name == "answer_rate")
    gap = with_column(gap, "answer_rate", np.nan)
    filled = with_column(filled, "answer_rate", marker.median)
    assert grouping.assign(gap).tolist() == grouping.assign(filled).tolist()


def test_too_few_tenants_are_refused_with_figures() -> None:
    with pytest.raises(
        AlgorithmError, match="partition all: 499 tenants have enough history to train on, but at least 500"
    ) as refusal:
        group(generated_table(499))
    assert refusal.value.code == "too_few_tenants"
    with pytest.raises(AlgorithmError, match="partition north: 99 "):
        group(generated_table(99), Partition("north", "north"))


def test_tenants_all_alike_are_refused() -> None:
    table = generated_table(600)
    alike = replace(table, values=np.ones_like(table.values))
    with pytest.raises(AlgorithmError, match="no marker differs between tenants") as refusal:
        group(alike)
    assert refusal.value.code == "no_markers"


def test_outliers_are_no_group() -> None:
    table = generated_table(600)
    values = np.random.default_rng(0).normal(1, 0.001, table.values.shape)
    values[:8] = 1_000
    values[:8, table.features.index("answer_rate")] = 0
    with pytest.raises(AlgorithmError, match="the smallest group has") as refusal:
        group(replace(table, values=values))
    assert refusal.value.code == "group_too_small"


def test_a_bad_group_that_answers_faster_is_refused() -> None:
    table = generated_table(1_500)
    table = with_column(table, "mean_first_response_hr", 200 / (1 + table.column("mean_first_response_hr")))
    with pytest.raises(AlgorithmError, match="bad is not worse than good on mean_first_response_hr") as refusal:
        group(table)
    assert refusal.value.code == "groups_not_ordered"


def test_a_check_that_disagrees_is_refused() -> None:
    table = generated_table(1_500)
    table = with_column(table, "work_order_count", 50 - table.column("work_order_count"))
    with pytest.raises(AlgorithmError, match="work_order_count \\(check\\)"):
        group(table)


def test_groups_file_gives_back_the_rows_and_names_the_classes(tmp_path: Path) -> None:
    _, rows = group(generated_table(600))
    path = tmp_path / "groups.parquet"
    arrow = to_arrow(rows, "all")
    write_groups([arrow, to_arrow(rows, "other")], path)
    read = read_groups(path, "all", USE_CASE.labels)
    assert np.array_equal(read.bad, rows.bad)
    assert np.array_equal(read.tenant_id, rows.tenant_id)
    assert set(zip(arrow["group"].to_pylist(), arrow["label"].to_pylist(), strict=True)) == {("good", 0), ("bad", 1)}
