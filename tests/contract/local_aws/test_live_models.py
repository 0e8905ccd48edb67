"""EvaluateModel with a release live: it finds the live model by itself, and holds the new one against it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tenant_experience.jobs.archive import write_archive
from tests.support.generated_tenants import generated_table, write_job_inputs
from tests.support.job_processes import cluster, evaluate, train
from tests.support.registered_model import pack, rewrite, sha256_of_manifest

TABLE = "live-models"


@pytest.fixture(scope="module")
def job(
    tmp_path_factory: pytest.TempPathFactory, client: Callable[..., Any], bucket: str, env: dict[str, str]
) -> tuple[Path, dict[str, str]]:
    """A trained model, the same as the live release ``r0``, and the environment of the job that judges it."""
    base = tmp_path_factory.mktemp("judged")
    write_job_inputs(base, generated_table(800))
    cluster(base)
    train(base)
    write_archive(base / "live.tar.gz", list((base / "model" / "all").iterdir()))
    client("s3").upload_file(str(base / "live.tar.gz"), bucket, "models/all/r0/model.tar.gz")
    inputs = base / "processing" / "input"
    shutil.copytree(inputs / "features", inputs / "previous")
    client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return base, env | {"RELEASE_TABLE": TABLE, "DATA_BUCKET": bucket, "USE_CASE": "tenant_experience"}


def go_live(client: Callable[..., Any], digests: dict[str, str] | None = None, **models: str) -> None:
    texts = {"release": "r0", "started_at": "2026-11-01T00:00:00Z", "models": json.dumps(models)}
    texts |= {} if digests is None else {"digests": json.dumps(digests)}
    item = {name: {"S": text} for name, text in texts.items()} | {"revision": {"N": "1"}}
    client("dynamodb").put_item(TableName=TABLE, Item={"id": {"S": "live#tenant_experience"}, **item})


def judged(base: Path, kind: str) -> dict[str, Any]:
    document = json.loads((base / "processing" / "output" / "reports" / "evaluation.json").read_text())
    [told] = document[kind]
    return dict(told)


@pytest.mark.slow
def test_an_equal_model_is_equal_and_a_worse_one_is_refused_with_both_figures(
    job: tuple[Path, dict[str, str]], client: Callable[..., Any]
) -> None:
    base, environment = job
    go_live(client, {"all": sha256_of_manifest(base / "model" / "all")}, all="r0")
    [row] = evaluate(base, environment)["partitions"]
    assert row["status"] == "ready"
    told = judged(base, "partitions")
    assert (told["champion"]["version"], told["champion"]["verdict"]) == ("r0", "equal")
    assert (told["changes"]["tenants"], told["changes"]["moved"]) == (800, 0)
    assert (base / "processing" / "output" / "reports" / "group_changes.parquet").is_file()

    train(base, {"n_estimators": "1", "learning_rate": "0.05", "max_depth": "1"})
    outcome = evaluate(base, environment)
    assert (outcome["status"], outcome["code"]) == ("refused", "worse_than_champion")
    champion = judged(base, "refused")["champion"]
    assert champion["gaps_decide"]
    compared = champion["with_gaps"]["log_loss"]
    for value in (compared["challenger"], compared["champion"]):
        assert f"{value:.4f}" in outcome["message"]


@pytest.mark.slow
def test_a_live_model_whose_archive_is_gone_is_said_and_stops_nothing(
    job: tuple[Path, dict[str, str]], client: Callable[..., Any]
) -> None:
    base, environment = job
    train(base)
    go_live(client, all="lost")
    [row] = evaluate(base, environment)["partitions"]
    assert row["status"] == "ready"
    champion = judged(base, "partitions")["champion"]
    assert (champion["version"], champion["verdict"]) == ("lost", "not_comparable")
    assert "model_incomplete" in champion["notes"][0]


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["exchanged", "unreadable"])
def test_a_live_model_that_is_not_the_registered_one_is_said_and_stops_nothing(
    job: tuple[Path, dict[str, str]], client: Callable[..., Any], bucket: str, tmp_path: Path, damage: str
) -> None:
    base, environment = job
    train(base)
    folder = shutil.copytree(base / "model" / "all", tmp_path / "exchanged")
    digest = sha256_of_manifest(folder)
    rewrite(folder, threshold=0.99)
    archive = pack(folder, tmp_path / "model.tar.gz")
    if damage == "unreadable":
        archive.write_bytes(archive.read_bytes()[:-100])
    client("s3").upload_file(str(archive), bucket, f"models/all/{damage}/model.tar.gz")
    go_live(client, {"all": digest}, all=damage)
    [row] = evaluate(base, environment)["partitions"]
    assert row["status"] == "ready"
    champion = judged(base, "partitions")["champion"]
    assert (champion["version"], champion["verdict"]) == (damage, "not_comparable")
    assert "is not the one that was registered" in champion["notes"][0]
