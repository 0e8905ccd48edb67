"""A release of a network by the scripts, as SageMaker starts them: its archive, replay, answers and champion."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from tenant_experience.errors import UserError
from tenant_experience.evaluation.champion import Champion
from tenant_experience.evaluation.partition import LiveModel, evaluate_partition
from tenant_experience.features.table import FeatureTable, read_features
from tenant_experience.groups.file import GroupRows, read_groups
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.artifact import read_manifest
from tenant_experience.models.served_model import ServedModel
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase, load_use_case
from tenx.main import main
from tests.support.feature_job import FeatureJob
from tests.support.monthly_spend import SETTINGS, SOURCE, STEPS, write_spend
from tests.support.script_release import Release, make_release
from tests.support.serving_process import serving

# A network compiles for seconds wherever it is trained.
pytestmark = pytest.mark.slow


ALL = Partition("all", "all")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Release:
    base = tmp_path_factory.mktemp("network")
    written = base / "written" / "monthly_spend"
    (written / "sources").mkdir(parents=True)
    (written / "use_case.yaml").write_text(yaml.safe_dump(SETTINGS, sort_keys=False))
    (written / "sources" / "export.yaml").write_text(yaml.safe_dump(SOURCE))
    job = FeatureJob(base / "build", use_case=str(written))
    write_spend(job.raw / "clients.csv", 2_500, 1)
    assert job.run({})["status"] == "ok"
    inputs = base / "processing" / "input"
    shutil.copytree(job.output("features"), inputs / "features")
    shutil.copytree(job.use_case, inputs / "use_case")
    return make_release(base)


def read(release: Release) -> tuple[UseCase, FeatureTable, GroupRows]:
    inputs = release.base / "processing" / "input"
    use_case = load_use_case(inputs / "use_case")
    table = read_features(inputs / "features" / "features.parquet", use_case)
    return use_case, table, read_groups(release.output("clusters") / "groups.parquet", "all", use_case.labels)


def test_the_archive_holds_plain_arrays_and_what_they_are(network: Release) -> None:
    (row,) = network.evaluated["partitions"]
    assert (row["status"], row["metrics"]["roc_auc"] > 0.95) == ("ready", True)
    folder = network.models["all"]
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.npz"]
    manifest = read_manifest(folder)
    assert (manifest.model_file, manifest.sequences) == ("model.npz", {"spend": STEPS})
    assert json.loads((folder / "model.json").read_text())["files"].keys() == {"model.npz"}
    report = (network.output("reports") / "report.html").read_text()
    assert "integrated gradients" in report
    assert "SHAP values" not in report


def test_it_is_made_again_byte_for_byte(network: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network.copy_to_bucket(tmp_path)
    assert main(["replay", "r1", "--folder", str(tmp_path)]) == 0
    assert "Equal" in capsys.readouterr().out


@pytest.mark.parametrize("new", ["network", "trees"])
def test_models_in_different_files_are_compared_as_champion_and_challenger(
    network: Release, tmp_path: Path, new: str
) -> None:
    use_case, table, rows = read(network)
    trees = use_case.model_copy(update={"trainer": "xgboost"})
    settings = parse_settings("xgboost", trainer_named("xgboost"), {"n_estimators": "20", "max_depth": "2"})
    TrainingRun(trees, settings, "r2").train_partition(table, rows, ALL, tmp_path / "trees")
    folders = {"trees": tmp_path / "trees", "network": network.models["all"]}
    rules = {"trees": trees, "network": use_case}
    live = next(folder for name, folder in folders.items() if name != new)
    compared = evaluate_partition(
        table, rows, folders[new], rules[new], LiveModel(Champion("r0", live), table)
    ).document()["champion"]
    assert compared["verdict"] == ("better" if new == "network" else "worse")
    assert compared["rows"] > 100


def test_a_model_of_both_files_at_once_is_refused(network: Release, tmp_path: Path) -> None:
    folder = shutil.copytree(network.models["all"], tmp_path / "both")
    (folder / "model.ubj").write_bytes(b"another model")
    with pytest.raises(UserError, match=r"model\.ubj differs from its digest, or is there on one side only") as refusal:
        read_manifest(folder)
    assert refusal.value.code == "model_damaged"


def test_the_endpoint_answers_as_the_model_does_and_explains(network: Release, tmp_path: Path) -> None:
    _, table, _ = read(network)
    model = ServedModel.load(network.models["all"])
    matrix = model.scorer.encoding.matrix(table)[:20]
    outputs = model.publish(matrix).outputs
    features = [
        {
            name: None if np.isnan(value) else table.categories[name][int(value)] if name == "city" else value
            for name, value in zip(table.features, row, strict=True)
        }
        for row in table.values[:20].tolist()
    ]
    instances = [{"features": each} for each in features]
    with serving(tmp_path, SAGEMAKER_MULTI_MODEL="true") as (client, _):
        assert client.post("/models", json={"model_name": "m", "url": str(network.models["all"])}).status_code == 200
        together = client.post("/models/m/invoke", json={"instances": instances, "explain": True}).json()["predictions"]
        alone = client.post("/models/m/invoke", json={"instances": instances[:1], "explain": True}).json()[
            "predictions"
        ]
    assert [row["probability"] for row in together] == outputs.tolist()
    assert alone == together[:1]
    for row, probability in zip(together, outputs, strict=True):
        total = sum(row["contributions"].values()) + row["baseline"]
        assert total == pytest.approx(np.log(probability / (1 - probability)), abs=1e-6)
