"""Groups that can be defended: the truth is found, what has no groups is refused, and every method keeps its word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import adjusted_rand_score

from demo.generate_events import generate
from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import Grouping
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.artifact import read_manifest
from tenant_experience.use_case.schema import UseCase
from tests.support.feature_job import FeatureJob
from tests.support.generated_tenants import (
    THREE_GROUPS,
    generated_table,
    settings_with,
    true_levels,
    true_lots,
    use_case,
    use_case_with,
    write_job_inputs,
)
from tests.support.job_processes import cluster, train


def group(table: FeatureTable, settings: UseCase | None = None) -> tuple[Grouping, GroupRows]:
    return group_partition(table, Partition("all", "all"), settings or use_case(), "r1")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_a_known_truth_is_found(seed: int) -> None:
    _, rows = group(generated_table(3_000, seed=seed, noise=0.1))
    assert adjusted_rand_score(true_lots(3_000, seed), rows.label) >= 0.9


def test_the_truth_behind_raw_events_is_found(tmp_path: Path) -> None:
    job = FeatureJob(tmp_path)
    truth = generate(job.raw, as_of=datetime(2026, 11, 1, tzinfo=UTC), tenants=1_500, margin="wide")
    job.run({"source": "events", "as_of": "2026-11-01T00:00:00Z"})
    _, rows = group(read_features(job.output("features") / "features.parquet", use_case()))
    bad = dict(zip(truth.tenant_ids.tolist(), truth.bad.tolist(), strict=True))
    assert adjusted_rand_score([bad[tenant] for tenant in rows.tenant_id.tolist()], rows.label) >= 0.9


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 20))])
def test_columns_without_structure_are_refused(seed: int) -> None:
    table = generated_table(2_000)
    shuffled = replace(table, values=np.random.default_rng(seed).permuted(table.values, axis=0))
    with pytest.raises(AlgorithmError) as refusal:
        group(shuffled)
    assert refusal.value.code in {"groups_not_ordered", "no_structure", "groups_not_stable"}


@pytest.mark.parametrize(
    ("limits", "code", "told"),
    [
        ({"structure_ratio": 9}, "no_structure", r"explain 0\.4\d\d of the variance, which is 3\.\d\d times the 0\.1"),
        (
            {"stability_median": 1},
            "groups_not_stable",
            r"20 refits .* of 0\.9\d\d in the median and 0\.9\d\d in the worst case",
        ),
        ({"stability_minimum": 1}, "groups_not_stable", "but 0.9 and 1 are needed"),
        ({"probability_worse": 0.9}, "groups_not_ordered", r"bad is not worse than good on escalation_count \(0\.8"),
        ({"smallest_share": 0.45}, "group_too_small", "the smallest group has"),
        ({"smallest_group": 900}, "group_too_small", "needs at least 900"),
    ],
)
def test_limits_refuse_with_figures(limits: dict[str, float], code: str, told: str) -> None:
    with pytest.raises(AlgorithmError, match=told) as refusal:
        group(generated_table(2_000), use_case_with(limits=limits))
    assert refusal.value.code == code


def test_limits_warn_with_figures() -> None:
    grouping, _ = group(generated_table(2_000))
    assert grouping.warnings == ()
    assert grouping.service_auc is not None
    assert grouping.service_auc > 0.95
    warned, _ = group(generated_table(2_000), use_case_with(limits={"continuum_margin": 0.2, "service_auc": 1}))
    assert [sentence.split(":")[0] for sentence in warned.warnings] == [
        "The groups are a cut through a continuum",
        "The groups mostly reflect how often tenants make contact",
    ]
    assert f"{grouping.explained_variance:.3f}" in warned.warnings[0]
    assert f"{grouping.copula_variance:.3f}" in warned.warnings[0]
    assert f"{grouping.service_auc:.3f}" in warned.warnings[1]


def test_a_continuum_is_told_from_groups() -> None:
    """One lot for all, of the same spread: what two means cut it into is stable and in order, but no two groups."""
    table = generated_table(2_000, lots=1, noise=0.6)
    grouping, _ = group(table, use_case_with(limits={"stability_median": 0.5, "stability_minimum": 0.5}))
    assert any("cut through a continuum" in sentence for sentence in grouping.warnings)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gaussian_mixture", "ward"])
def test_other_methods_find_the_truth_and_take_new_tenants_by_their_file(method: str, tmp_path: Path) -> None:
    grouping, rows = group(generated_table(3_000, noise=0.1), use_case_with(method))
    assert adjusted_rand_score(true_lots(3_000), rows.label) >= 0.85
    grouping.write(tmp_path)
    read = Grouping.read(tmp_path)
    newcomers = generated_table(500, seed=1, noise=0.1)
    assert np.array_equal(read.assign(newcomers), grouping.assign(newcomers))
    assert adjusted_rand_score(true_lots(500, 1), read.assign(newcomers)) >= 0.8
    assert np.array_equal(read.assign(generated_table(3_000, noise=0.1)), rows.label)


@pytest.mark.slow
def test_three_groups_become_a_model_of_three_classes(tmp_path: Path) -> None:
    table = generated_table(2_000, lots=3, noise=0.1)
    write_job_inputs(tmp_path, table)
    path = tmp_path / "processing" / "input" / "use_case" / "use_case.yaml"
    path.write_text(yaml.safe_dump(settings_with(groups=3), sort_keys=False))
    [clustered], [trained] = cluster(tmp_path)["partitions"], train(tmp_path)["partitions"]
    assert list(clustered["groups"]) == THREE_GROUPS
    assert trained["status"] == "ready"
    manifest = read_manifest(tmp_path / "model" / "all")
    assert (manifest.task, list(manifest.labels), manifest.positive_label) == ("multiclass", THREE_GROUPS, "bad")
    grouping = Grouping.read(tmp_path / "model" / "all")
    assert adjusted_rand_score(true_levels(2_000, 0, 3), grouping.assign(table)) >= 0.85
    assert all(len(marker.pairs) == 2 for marker in grouping.markers)
    scores = [grouping.mean_scores[name] for name in THREE_GROUPS]
    assert scores == sorted(scores)


def test_three_groups_out_of_order_are_refused() -> None:
    table = generated_table(2_000, lots=3, noise=0.1)
    values, column = table.values.copy(), table.features.index("mean_first_response_hr")
    values[:, column] = np.where(true_levels(2_000, 0, 3) == 2, 1.0, values[:, column])
    with pytest.raises(AlgorithmError, match="bad is not worse than opportunity on mean_first_response_hr") as refusal:
        group(replace(table, values=values), use_case_with(groups=3))
    assert refusal.value.code == "groups_not_ordered"
    assert "escalation_count 0." in refusal.value.message


def test_a_tiny_table_has_a_named_answer() -> None:
    gates = use_case().gates.model_copy(update={"pooled_tenants": 2})
    settings = use_case().model_copy(update={"gates": gates})
    for count in (0, 1, 2, 3, 99):
        with pytest.raises(
            AlgorithmError, match=f"{count} tenants have enough history to train on, but at least 100 are needed"
        ) as refusal:
            group(generated_table(3).take(np.arange(0)) if not count else generated_table(count), settings)
        assert refusal.value.code == "too_few_tenants"
    assert len(group(generated_table(200, noise=0.1), settings)[1].label) == 200


def test_columns_that_tell_nothing_have_a_named_answer() -> None:
    table = generated_table(2_000, noise=0.1)
    names = use_case().grouped.markers
    values = np.where(np.isin(table.features, names[:2]), 1.0, table.values)
    values[:, table.features.index(names[4])] = np.nan
    values[20:, table.features.index(names[5])] = np.nan
    grouping, _ = group(replace(table, values=values))
    assert {name: reason.split(",")[0] for name, reason in grouping.left_out.items()} == {
        names[0]: "1 for every tenant",
        names[1]: "1 for every tenant",
        names[4]: "null for every tenant",
        names[5]: "known for only 11 tenants",
    }
    values[:, table.features.index(names[3])] = np.nan
    with pytest.raises(AlgorithmError, match="do not go together") as refusal:
        group(replace(table, values=values))
    assert refusal.value.code == "no_structure"


@pytest.mark.parametrize(
    ("shares", "noise"),
    [((0.6, 0.3, 0.1), 0.1), ((0.6, 0.3, 0.1), 0.2), pytest.param((0.34, 0.33, 0.33), 0.2, marks=pytest.mark.slow)],
)
def test_three_lots_asked_for_two_groups_are_told(shares: tuple[float, ...], noise: float) -> None:
    grouping, _ = group(generated_table(3_000, noise=noise, shares=shares))
    other = grouping.other_number
    assert other is not None
    assert np.array(other.sizes) / sum(other.sizes) == pytest.approx(shares, abs=0.03)
    # The middle lot is what two groups cut apart.
    assert other.split[0] < 0.1
    assert other.split[1] > 0.2
    assert other.split[2] > 0.99
    told = [
        warning for warning in grouping.warnings if "Three groups fit these tenants clearly better than two" in warning
    ]
    assert len(told) == 1
    assert "clustering.groups to 3" in told[0]


@pytest.mark.parametrize(
    "shares",
    [(0.5, 0.5), (0.85, 0.15), pytest.param((0.7, 0.3), marks=pytest.mark.slow)],
)
def test_two_lots_need_no_third_group(shares: tuple[float, ...]) -> None:
    grouping, _ = group(generated_table(3_000, noise=0.1, shares=shares))
    assert grouping.other_number is None


def test_two_lots_asked_for_three_groups_are_told() -> None:
    limits = {"stability_median": 0.5, "stability_minimum": 0.3, "probability_worse": 0.5}
    grouping, _ = group(generated_table(3_000, noise=0.2, shares=(0.5, 0.5)), use_case_with(groups=3, limits=limits))
    assert grouping.other_number is not None
    assert len(grouping.other_number.sizes) == 2
    assert any("Two groups fit these tenants clearly better than three" in warning for warning in grouping.warnings)
