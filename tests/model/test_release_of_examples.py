"""cluster, train, evaluate as processes, where clients have several rows: all learn and test, the latest answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tenant_experience.evaluation.model_card import CardLinks, model_card
from tenant_experience.pipeline.replay import replay_model
from tests.support.job_processes import cluster, evaluate, train
from tests.support.loans import loans

# Its answers are asked for by default in test_endpoint_of_examples.py.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the jobs after a release that is split by time."""
    made, folder = tmp_path_factory.mktemp("loans"), tmp_path_factory.mktemp("jobs")
    written = loans(made, clients=400, split={"time": True}, words={"record": "client", "records": "clients"})
    written.build()
    inputs = folder / "processing/input"
    shutil.copytree(made / "job/features", inputs / "features")
    shutil.copytree(written.folder, inputs / "use_case")
    # The live release, which this one is compared with, learned from the same rows.
    shutil.copytree(made / "job/features", inputs / "previous")
    assert cluster(folder)["partitions"][0]["rows"] > 1_000
    assert train(folder)["status"] == "ok"
    assert evaluate(folder)["partitions"][0]["tenants"] == 400 - _without_label(made)
    return folder


def _without_label(made: Path) -> int:
    clients = set(pq.read_table(made / "job/features/features.parquet")["client"].to_pylist())
    return len(clients - set(pq.read_table(made / "job/features/examples.parquet")["client"].to_pylist()))


@pytest.fixture(scope="module")
def evaluation(base: Path) -> dict[str, Any]:
    document = json.loads((base / "processing/output/reports/evaluation.json").read_text())
    found: dict[str, Any] = document["partitions"][0]
    return found


def test_the_evaluation_says_how_rows_were_split(base: Path, evaluation: dict[str, Any]) -> None:
    groups = pq.read_table(base / "processing/output/clusters/groups.parquet").to_pandas()
    times = pq.read_table(base / "processing/input/features/examples.parquet").to_pandas().set_index("example_id").as_of
    until = times[groups.example_id[groups.split == "train"]].max()
    begin = times[groups.example_id[groups.split == "test"]].min()

    split = evaluation["split"]

    assert (split["by"], split["time"], split["file"]) == ("rows", True, "examples.parquet")
    assert (split["rows"], split["records"]) == (len(groups), groups.tenant_id.nunique())
    assert split["trained_until"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    assert split["tested_from"] == f"{begin:%Y-%m-%dT%H:%M:%SZ}"
    assert until < begin
    assert evaluation["counts"]["test"]["tenants"] == int((groups.split == "test").sum())


def test_report_and_card_say_it_too(base: Path, evaluation: dict[str, Any]) -> None:
    report = (base / "processing/output/reports/report.html").read_text()
    text = evaluation["split"]["text"]
    assert text.startswith("Split in order of time: trained on rows up to ")
    assert text in report
    assert f"rows of {evaluation['split']['records']} clients" in report
    assert "The intervals take each row for one of its own" in " ".join(evaluation["warnings"])
    card = json.loads(model_card(evaluation, CardLinks("model", "report", "evaluation", "features", "image")))
    observed = card["training_details"]["training_observations"]
    assert text in observed
    assert f"on {evaluation['counts']['train']['tenants']} rows" in observed


def test_its_model_is_as_good_as_the_rows_allow(evaluation: dict[str, Any]) -> None:
    assert evaluation["metrics"]["roc_auc"] > 0.75
    assert evaluation["model"]["split"] == {"by": "rows", "time": True}


def test_csv_and_groups_have_the_same_rows(base: Path) -> None:
    groups = pq.read_table(base / "processing/output/clusters/groups.parquet").to_pandas()
    folder = base / "processing/output/splits/all"
    for part in ("train", "validation", "test"):
        chosen = groups[groups.split == part]
        rows = pq.read_table(folder / f"{part}_rows.parquet").to_pandas()
        assert rows.example_id.tolist() == chosen.example_id.tolist()
        lines = (folder / f"{part}.csv").read_text().splitlines()
        assert [float(line.partition(",")[0]) for line in lines] == chosen.label.tolist()


def test_the_model_can_be_made_again_from_the_examples(base: Path, tmp_path: Path) -> None:
    outputs, inputs = base / "processing/output", base / "processing/input"
    places = {
        "features/r1/": inputs / "features",
        "clusters/r1/0/": outputs / "clusters",
        "use_cases/r1/": inputs / "use_case",
        "models/": outputs / "models",
    }

    def fetch(key: str) -> Path:
        (prefix,) = (each for each in places if key.startswith(each))
        return places[prefix] / key.removeprefix(prefix)

    assert replay_model(fetch, "r1", "all", tmp_path).differs == []
