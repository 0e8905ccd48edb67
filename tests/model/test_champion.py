"""The live model against a new one: equal, worse, and not to be compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenant_experience.evaluation._group_changes import GroupTransition
from tenant_experience.evaluation.champion import Champion, champion_comparison
from tenant_experience.evaluation.scored_rows import published
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.file import read_groups
from tenant_experience.groups.grouping import Grouping
from tenant_experience.groups.split import FittedTenants, fitted_tenants
from tenant_experience.jobs.partition_runs import Partition, run_partitions
from tenant_experience.models.artifact import read_manifest
from tenant_experience.models.served_model import ServedModel
from tenant_experience.pipeline.evaluate_shard import ShardEvaluation
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.split import Split
from tests.support.generated_tenants import generated_table, use_case
from tests.support.script_release import Release
from tests.support.words import TENANT_WORDS

ALL = Partition("all", "all")
TABLE = generated_table(2_000, portfolios=("north", "south", "<east> & co"))


@pytest.fixture(scope="module")
def settled(release: Release) -> Path:
    return release.models["all"]


@pytest.fixture(scope="module")
def worse(release: Release, settled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the same tenants and groups that stopped learning after one tree."""
    folder: Path = tmp_path_factory.mktemp("worse")
    given = {"n_estimators": "1", "learning_rate": "0.05", "max_depth": "1"}
    groups = read_groups(release.output("clusters") / "groups.parquet", "all", use_case().labels)
    settings = parse_settings("xgboost", trainer_named("xgboost"), given)
    for name in ("grouping.json", "next_period.json"):
        shutil.copy(settled / name, folder)
    TrainingRun(use_case(), settings, "r2").train_partition(TABLE, groups, ALL, folder)
    return folder


def without_gates(*names: str) -> UseCase:
    rules = use_case()
    return rules.model_copy(update={"gates": rules.gates.model_copy(update=dict.fromkeys(names))})


def shard(
    release: Release,
    tmp_path: Path,
    challenger: Path,
    champion: Path | None,
    rules: UseCase | None = None,
    previous: FeatureTable | None = TABLE,
) -> ShardEvaluation:
    shutil.copytree(challenger, tmp_path / "trained" / "all")
    return ShardEvaluation(
        release="r2",
        use_case=rules or use_case(),
        table=TABLE,
        clusters=release.output("clusters"),
        trained=tmp_path / "trained",
        archives=tmp_path / "models",
        champion_of=lambda _slug: None if champion is None else Champion("r1", champion),
        previous=previous,
    )


def gate(gates: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(row for row in gates if row["name"] == name)


def test_an_equal_challenger_is_reported_as_equal_and_passes(release: Release, settled: Path, tmp_path: Path) -> None:
    judged = shard(release, tmp_path, settled, settled)
    [row] = run_partitions([ALL], judged.evaluate)
    assert row.status == "ready"
    assert (tmp_path / "models" / row.figures["model_key"]).is_file()
    [told] = json.loads(json.dumps(judged.document(0)))["partitions"]
    assert (told["champion"]["version"], told["champion"]["verdict"]) == ("r1", "equal")
    assert told["champion"]["rows"] == told["counts"]["test"]["tenants"]
    assert told["champion"]["metrics"]["log_loss"]["difference"] == 0
    assert told["champion"]["with_gaps"]["log_loss"]["difference"] == 0
    assert not told["champion"]["gaps_decide"]
    assert gate(told["gates"], "champion_loss")["passed"]
    rows = told["champion"]["rows"]
    assert told["champion"]["notes"][0] == (
        f"Of the {rows} tenants of the test part, the {rows} are compared that the live model was not trained on."
    )


@pytest.mark.parametrize(("known", "as_of", "compared"), [(50, "same", -50), (150, "same", 0), (50, "other", 0)])
def test_only_tenants_new_to_both_are_compared_if_there_are_enough(
    release: Release, settled: Path, known: int, as_of: str, compared: int
) -> None:
    groups = read_groups(release.output("clusters") / "groups.parquet", "all", use_case().labels)
    chosen = groups.split == "test"
    test, labels = groups.align(TABLE).take(chosen), groups.label[chosen]
    model = ServedModel.load(settled)
    rows = published(model, model.scorer.encoding.matrix(test), labels).rows
    fitted = FittedTenants(
        model.scorer.manifest.as_of if as_of == "same" else "2020-01-01T00:00:00Z", test.tenant_id[:known]
    )
    found = champion_comparison(Champion("r1", settled), model, rows, test, fitted, words=TENANT_WORDS)
    assert found.rows == len(test) + compared
    assert ("may have been trained on earlier figures" in found.notes[0]) == (compared == 0)


def test_a_live_model_that_was_split_in_another_way_may_have_learned_from_all(
    release: Release, settled: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(settled, other)
    read_manifest(other).model_copy(update={"split": Split(by="record", time=True)}).write(other)
    groups = read_groups(release.output("clusters") / "groups.parquet", "all", use_case().labels)
    chosen = groups.split == "test"
    test, labels = groups.align(TABLE).take(chosen), groups.label[chosen]
    model = ServedModel.load(settled)
    rows = published(model, model.scorer.encoding.matrix(test), labels).rows
    fitted = FittedTenants(model.scorer.manifest.as_of, test.tenant_id[:50])

    found = champion_comparison(Champion("r1", other), model, rows, test, fitted, words=TENANT_WORDS)

    assert found.rows == len(test)
    assert "may have been trained on earlier figures" in found.notes[0]


def test_what_the_live_model_was_fitted_on_is_found_again_from_its_features() -> None:
    table = generated_table(600, noise=0.2).in_order_of_content()
    _, rows = group_partition(table, ALL, use_case(), "r1")
    fitted = fitted_tenants(table, use_case())
    assert fitted is not None
    assert fitted.tenant_id.tolist() == rows.tenant_id[rows.split != "test"].tolist()


def test_a_worse_challenger_is_refused_by_name_and_not_packed(
    release: Release, settled: Path, worse: Path, tmp_path: Path
) -> None:
    judged = shard(release, tmp_path, worse, settled)
    [row] = run_partitions([ALL], judged.evaluate)
    assert (row.status, row.fault, row.code) == ("refused", "algorithm", "worse_than_champion")
    champion = judged.refused[0].champion
    # The rule answers alike for both where all markers are known, so the difference shows where some are hidden.
    assert champion.gaps_decide
    compared = champion.with_gaps["log_loss"]
    assert "tenants, with 3 features missing, the log_loss is" in (row.message or "")
    assert f"{compared.challenger:.4f}" in (row.message or "")
    assert f"{compared.champion:.4f} with the live model r1" in (row.message or "")
    assert not (tmp_path / "models").exists()
    document = judged.document(0)
    assert document["partitions"] == []
    [told] = document["refused"]
    assert told["champion"]["verdict"] == "worse"
    assert compared.low > 0.02
    broken = gate(told["gates"], "champion_loss")
    assert (broken["limit"], broken["passed"]) == (0.02, False)


def test_a_better_challenger_passes(release: Release, settled: Path, worse: Path, tmp_path: Path) -> None:
    judged = shard(release, tmp_path, settled, worse)
    [row] = run_partitions([ALL], judged.evaluate)
    assert row.status == "ready"
    assert judged.ready[0].champion.verdict == "better"


def test_switched_off_the_gate_lets_a_worse_one_pass_and_says_so(
    release: Release, settled: Path, worse: Path, tmp_path: Path
) -> None:
    rules = without_gates("champion_loss", "roc_auc", "missing_accuracy", "calibration_error")
    judged = shard(release, tmp_path, worse, settled, rules)
    [row] = run_partitions([ALL], judged.evaluate)
    assert row.status == "ready"
    assert judged.ready[0].champion.verdict == "worse"
    assert any("is worse than the live one" in warning for warning in judged.ready[0].warnings)
    assert judged.ready[0].gates == []


def test_a_first_release_has_no_champion(release: Release, settled: Path, tmp_path: Path) -> None:
    judged = shard(release, tmp_path, settled, None)
    run_partitions([ALL], judged.evaluate)
    assert (judged.ready[0].champion, judged.ready[0].changes) == (None, None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"features": ["gone_count"]}, "needs gone_count"),
        ({"labels": ["calm", "bad"]}, "predicts calm, bad, the new one good, bad"),
        ({"format": 99}, "model_manifest"),
        ({"grouping": "of another format"}, "grouping_file"),
    ],
)
def test_a_champion_that_cannot_be_compared_is_said_and_stops_nothing(
    release: Release, settled: Path, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    live = tmp_path / "live"
    shutil.copytree(settled, live)
    manifest = json.loads((live / "model.json").read_text())
    for digest in ("files", "sha256"):  # so that the change is what is found, and not the damage
        del manifest[digest]
    (live / "model.json").write_text(json.dumps(manifest))
    if "features" in change:
        _rename_first_feature(live, manifest, change["features"][0])
    elif "grouping" in change:
        (live / "grouping.json").write_text("{}")
    else:
        (live / "model.json").write_text(json.dumps(manifest | change))
        if "labels" in change:
            rule = json.loads((live / "grouping.json").read_text())
            (live / "grouping.json").write_text(json.dumps(rule | {"classes": change["labels"]}))
    judged = shard(release, tmp_path, settled, live)
    [row] = run_partitions([ALL], judged.evaluate)
    assert row.status == "ready"
    compared = judged.ready[0].champion
    assert (compared.verdict, compared.rows) == ("not_comparable", 0)
    assert reason in compared.notes[0]
    assert judged.ready[0].changes is None


def _rename_first_feature(folder: Path, manifest: dict[str, Any], name: str) -> None:
    import xgboost

    names = [name, *manifest["features"][1:]]
    booster = xgboost.Booster(model_file=folder / "model.ubj")
    booster.feature_names = names
    booster.save_model(folder / "model.ubj")
    (folder / "model.json").write_text(json.dumps(manifest | {"features": names}))


def test_who_moved_is_split_into_data_and_rule(release: Release, settled: Path, tmp_path: Path) -> None:
    grouping = Grouping.read(settled)
    groups = grouping.assign(TABLE)
    # What the live release saw: fifty tenants that are bad now had waited no time at all.
    waiting = np.flatnonzero(groups == 1)[:50]
    values = TABLE.values.copy()
    for marker in grouping.markers:
        place = TABLE.features.index(marker.name)
        values[waiting, place] = 1 if marker.direction < 0 else 0
    previous = replace(TABLE, values=values).take(np.arange(len(TABLE)) >= 10)
    judged = shard(release, tmp_path, settled, settled, previous=previous)
    run_partitions([ALL], judged.evaluate)
    seen = int((waiting >= 10).sum())
    counts = judged.ready[0].changes
    assert counts.tenants == 1_990
    assert (counts.moved, counts.by_data, counts.by_model) == (seen, seen, 0)
    assert GroupTransition("good", "bad", seen) in counts.table
    assert sum(row.tenants for row in counts.table) == 1_990
    assert (counts.new, counts.gone) == (10, 0)
    rows = judged.ready[0].moved.to_arrow("all")
    assert rows["tenant_id"].to_pylist() == TABLE.tenant_id[waiting[waiting >= 10]].tolist()
