"""cluster, train, evaluate: the scripts as processes, one after another, as the state machine chains them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tenant_experience.models.artifact import read_manifest
from tenant_experience.models.served_model import ServedModel
from tests.support.generated_tenants import generated_table, with_open_items, write_job_inputs
from tests.support.job_processes import cluster, evaluate, run_script, train
from tests.support.script_release import Release, make_release

FILES = ["grouping.json", "model.json", "model.ubj", "next_period.json", "yardstick.json"]
METRICS = {"roc_auc", "pr_auc", "log_loss", "brier", "f1", "precision", "recall", "accuracy", "calibration_error"}


def test_a_release_ends_with_a_model_its_figures_and_a_report(release: Release) -> None:
    assert [outcome["status"] for outcome in (release.clustered, release.trained, release.evaluated)] == ["ok"] * 3
    [row] = release.evaluated["partitions"]
    assert (row["status"], row["model_key"], row["version"], row["scale"]) == (
        "ready",
        "all/r1/model.tar.gz",
        "r1",
        "global",
    )
    assert set(row["metrics"]) == METRICS
    assert row["tenants"] == 2_000
    assert row["metrics"]["roc_auc"] > 0.95
    assert sorted(path.name for path in release.models["all"].iterdir()) == FILES
    reports = release.output("reports")
    names = sorted(path.name for path in reports.iterdir())
    assert names == [
        "actions.csv",
        "actions.json",
        "brief.json",
        "evaluation.json",
        "outcome.json",
        "page_pictures.json",
        "report.html",
        "smoke_test.json",
    ]
    assert "&lt;east&gt; &amp; co" in (reports / "report.html").read_text()
    portfolios = json.loads((reports / "evaluation.json").read_text())["partitions"][0]["portfolios"]
    assert sum(row["tenants"] for row in portfolios) == 2_000


def test_groups_have_the_agreed_columns(release: Release) -> None:
    table = pq.read_table(release.output("clusters") / "groups.parquet")
    assert table.column_names == ["tenant_id", "partition_slug", "split", "score", "group", "label"]
    assert str(table.schema.field("label").type) == "double"
    counts = {part: table["split"].to_pylist().count(part) for part in ("train", "validation", "test")}
    assert sum(counts.values()) == 2_000
    assert [round(counts[part] / 2_000, 2) for part in ("train", "validation", "test")] == [0.7, 0.2, 0.1]


def test_the_parts_of_the_split_are_kept_as_csv(release: Release) -> None:
    groups = pq.read_table(release.output("clusters") / "groups.parquet").to_pylist()
    folder = release.output("splits") / "all"
    manifest = read_manifest(release.models["all"])
    columns = json.loads((folder / "columns.json").read_text())
    assert columns["columns"] == ["label", *manifest.encoding.columns]
    assert (columns["label"], columns["classes"]) == ("group", list(manifest.labels))
    for part in ("train", "validation", "test"):
        expected = [(row["tenant_id"], row["label"]) for row in groups if row["split"] == part]
        labels = [float(line.partition(",")[0]) for line in (folder / f"{part}.csv").read_text().splitlines()]
        whose = pq.read_table(folder / f"{part}_rows.parquet")["tenant_id"].to_pylist()
        assert list(zip(whose, labels, strict=True)) == expected


def test_the_smoke_test_is_of_the_test_part_and_small(release: Release) -> None:
    smoke = json.loads((release.output("reports") / "smoke_test.json").read_text())
    [model] = smoke["models"]
    assert smoke["tolerance"] == 1e-6
    assert model["model_key"] == "all/r1/model.tar.gz"
    answers = [sample["answer"] for sample in model["samples"]]
    assert len(answers) == 8
    as_they_are = [answer["probability"] for answer in answers[::2]]
    assert as_they_are == sorted(as_they_are)
    # Both that decide a label are compared: of every other tenant a marker is hidden.
    assert "rule" in {answer["label_basis"] for answer in answers[::2]}
    assert {answer["label_basis"] for answer in answers[1::2]} == {"model"}
    fields = {"status", "probability", "probability_basis", "experience", "label_basis", "model_probability"}
    assert all(set(answer) == fields | {"closeness"} for answer in answers)
    assert all(answer["closeness"] == answer["model_probability"] for answer in answers)
    groups = pq.read_table(release.output("clusters") / "groups.parquet")
    tests = {row["tenant_id"] for row in groups.to_pylist() if row["split"] == "test"}
    assert {sample["instance"]["tenant_id"] for sample in model["samples"]} <= tests


def test_the_list_to_act_on_repeats_what_the_endpoint_will_answer(release: Release) -> None:
    actions = json.loads((release.output("reports") / "actions.json").read_text())["actions"]
    table = generated_table(2_000, portfolios=("north", "south", "<east> & co"))
    model = ServedModel.load(release.models["all"])
    answers = dict(zip(table.tenant_id.tolist(), model.answers(model.scorer.encoding.matrix(table)), strict=True))
    told = {action["tenant_id"]: (action["group"], action["probability_bad"]) for action in actions}
    assert len(told) == 30
    assert told == {tenant: (answers[tenant]["experience"], answers[tenant]["probability"]) for tenant in told}


@pytest.mark.slow
def test_another_row_order_gives_the_same_bytes(release: Release, tmp_path: Path) -> None:
    order = np.random.default_rng(9).permutation(2_000)
    table = with_open_items(generated_table(2_000, portfolios=("north", "south", "<east> & co")))
    write_job_inputs(tmp_path, table, order=order)
    again = make_release(tmp_path)
    of_groups = ("clusters/all/grouping.json", "clusters/all/next_period.json")
    for name in ("clusters/groups.parquet", *of_groups, "models/all/r1/model.tar.gz"):
        assert (again.output(name)).read_bytes() == release.output(name).read_bytes(), name
    for name in ("reports/report.html", "reports/evaluation.json", "reports/smoke_test.json"):
        assert (again.output(name)).read_bytes() == release.output(name).read_bytes(), name


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Two good partitions, one of tenants that are all alike, one of one tenant, one of two, and one that is lost.

    Its folder disappears after clustering.
    """
    base = tmp_path_factory.mktemp("several")
    table = generated_table(2_000)
    portfolio = np.repeat(["alike", "lost", "north", "single", "south", "two"], [100, 600, 900, 1, 397, 2])
    values = table.values.copy()
    values[portfolio == "alike"] = np.nanmedian(values, axis=0)
    table = replace(table, values=values, portfolio_id=portfolio, partition_slug=portfolio)
    write_job_inputs(base, table, partitions=("north", "alike", "lost", "single", "two", "all"))
    clustered = cluster(base)
    shutil.rmtree(base / "processing" / "output" / "clusters" / "lost")
    return Release(base, clustered, train(base), evaluate(base), {})


def test_one_partitions_failure_is_a_row_not_the_end(several: Release) -> None:
    told = [(row["slug"], row["status"], row["code"]) for row in several.evaluated["partitions"]]
    assert told == [
        ("north", "ready", None),
        ("alike", "refused", "no_markers"),
        ("lost", "failed", "unexpected"),
        ("single", "refused", "too_few_tenants"),
        ("two", "refused", "too_few_tenants"),
        ("all", "ready", None),
    ]
    assert several.evaluated["status"] == "ok"
    assert "FileNotFoundError" in several.evaluated["partitions"][2]["message"]
    archives = several.output("models").rglob("*.tar.gz")
    assert sorted(path.parts[-3] for path in archives) == ["all", "north"]


def test_local_and_global_models_say_so(several: Release) -> None:
    scales = {row["slug"]: row.get("scale") for row in several.evaluated["partitions"]}
    assert (scales["north"], scales["all"]) == ("local", "global")
    tenants = {row["slug"]: row.get("tenants") for row in several.evaluated["partitions"]}
    assert (tenants["north"], tenants["all"]) == (900, 2_000)
    page = (several.output("reports") / "report.html").read_text()
    assert "no marker differs between tenants" in page


@pytest.mark.parametrize("count", [2, 100])
def test_a_refused_release_exits_0_and_says_why(tmp_path: Path, count: int) -> None:
    write_job_inputs(tmp_path, generated_table(count))
    outcome = cluster(tmp_path)
    assert (outcome["status"], outcome["fault"], outcome["code"]) == ("refused", "algorithm", "too_few_tenants")
    assert f"{count} tenants have enough history to train on" in outcome["message"]
    assert "too_few_tenants" in (tmp_path / "output" / "message").read_text()


def test_a_wrong_hyperparameter_is_the_users_and_reaches_the_report(release: Release, tmp_path: Path) -> None:
    shutil.copytree(release.base / "processing", tmp_path / "processing")
    outcome = train(tmp_path, {"max_depth": "deep"})
    assert (outcome["status"], outcome["fault"], outcome["code"]) == ("refused", "user", "bad_hyperparameter")
    assert "max_depth='deep'" in (tmp_path / "output" / "failure").read_text()
    evaluated = evaluate(tmp_path)
    assert (evaluated["status"], evaluated["code"]) == ("refused", "bad_hyperparameter")


def test_what_nobody_expected_fails_the_job(tmp_path: Path) -> None:
    write_job_inputs(tmp_path, generated_table(600))
    (tmp_path / "processing" / "input" / "features" / "features.parquet").write_bytes(b"PAR1 not really")
    done = run_script(tmp_path, "sagemaker_scripts/cluster_tenants.py", "--release", "r1", "--shard", "0")
    assert done.returncode == 1
    assert "PlatformError: unexpected" in (tmp_path / "output" / "message").read_text()


@pytest.mark.slow
def test_a_marker_that_tells_nobody_apart_is_left_out_and_said(tmp_path: Path) -> None:
    """And tenants of whom nothing is known at all do no harm."""
    table = generated_table(1_000)
    values = table.values.copy()
    values[:20] = np.nan
    values[:, table.features.index("escalation_count")] = 3
    values[:, table.features.index("negative_rate")] = np.nan
    write_job_inputs(tmp_path, replace(table, values=values))
    release = make_release(tmp_path)
    assert release.clustered["partitions"][0]["left_out"] == {
        "escalation_count": "3 for every tenant",
        "negative_rate": "null for every tenant",
    }
    assert release.trained["partitions"][0]["left_out_features"] == ["escalation_count", "negative_rate"]
    assert not {"escalation_count", "negative_rate"} & set(read_manifest(release.models["all"]).features)
    assert "negative rate (null for every tenant)" in (release.output("reports") / "report.html").read_text()
