"""A pooled release by the scripts, as SageMaker starts them: one archive, whose levels are part of its digest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tenant_experience.models.artifact import read_manifest
from tenx.main import main
from tests.support.churn_export import write_churn
from tests.support.feature_job import FeatureJob
from tests.support.script_release import Release, make_release

DIMENSIONS = ("Dim1", "Dim2", "Dim3")


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Release:
    base = tmp_path_factory.mktemp("pooled")
    job = FeatureJob(base / "build", use_case="telecom_churn")
    settings = yaml.safe_load((job.use_case / "use_case.yaml").read_text())
    settings["models"] = {"scope": "pooled", "minimum_tenants": 1_000}
    settings["gates"] |= {"roc_auc": 0.5, "calibration_error": 1.0}
    settings["hyperparameters"] |= {"n_estimators": 30}
    (job.use_case / "use_case.yaml").write_text(yaml.safe_dump(settings))
    for number, dimension in enumerate(DIMENSIONS):
        write_churn(job.raw, dimension, 1_100, seed=number)
    assert job.run({})["status"] == "ok"
    inputs = base / "processing" / "input"
    shutil.copytree(job.output("features"), inputs / "features")
    shutil.copytree(job.use_case, inputs / "use_case")
    return make_release(base)


@pytest.mark.slow
def test_one_archive_answers_for_every_partition(pooled: Release) -> None:
    (row,) = pooled.evaluated["partitions"]
    assert (row["slug"], row["status"], row["scale"]) == ("all", "ready", "global")
    assert sorted(path.name for path in pooled.models["all"].iterdir()) == ["model.json", "model.ubj"]
    manifest = read_manifest(pooled.models["all"])
    assert manifest.levels
    assert manifest.features[-1] == manifest.levels.feature == "dimension"
    assert manifest.categories["dimension"] == DIMENSIONS


@pytest.mark.slow
def test_the_report_has_own_pooled_and_global(pooled: Release) -> None:
    document = json.loads((pooled.output("reports") / "evaluation.json").read_text())
    pooling = document["partitions"][0]["pooling"]
    assert {row["partition"] for row in pooling["partitions"]} == set(DIMENSIONS)
    assert all(row["own"] for row in pooling["partitions"])
    assert "Own, pooled and global" in (pooled.output("reports") / "report.html").read_text()


@pytest.mark.slow
def test_it_is_made_again_byte_for_byte(pooled: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pooled.copy_to_bucket(tmp_path)
    assert main(["replay", "r1", "--folder", str(tmp_path)]) == 0
    assert "Equal" in capsys.readouterr().out


def test_a_manifest_cannot_ask_for_what_the_use_case_refuses(tmp_path: Path) -> None:
    job = FeatureJob(tmp_path, use_case="telecom_churn")
    write_churn(job.raw, "Dim1", 1_100)
    refused = job.run({"models": "pooled"})
    assert (refused["status"], refused["code"]) == ("refused", "invalid_manifest")
    assert "key 'models': pooled needs the global model, but models.fallback is false" in refused["message"]
