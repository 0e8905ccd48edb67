"""A release whose batch has outcomes says what its answers are worth: everywhere, and with every answer."""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from container.answers import json_answer
from container.batch import Batch
from tenant_experience.features.table import read_features
from tenant_experience.models.digests import packed_digest
from tenant_experience.models.served_model import ServedModel
from tests.support.generated_tenants import generated_table, true_lots, use_case, write_job_inputs
from tests.support.places import USE_CASE_FOLDER
from tests.support.script_release import Release, make_release

TENANTS = 1_200


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    base = tmp_path_factory.mktemp("release")
    write_job_inputs(base, generated_table(TENANTS))
    inputs = base / "processing/input"
    rules = inputs / "use_case/use_case.yaml"
    shipped = yaml.safe_load((USE_CASE_FOLDER / "use_case.yaml").read_text())
    rules.write_text(yaml.safe_dump(yaml.safe_load(rules.read_text()) | {"outcomes": shipped["outcomes"]}))
    bad = true_lots(TENANTS) == 1
    table = pa.table(
        {
            "tenant_id": generated_table(TENANTS).tenant_id.tolist(),
            "happened_at": pa.array([datetime(2026, 10, 1)] * TENANTS, pa.timestamp("us")),
            "kind": ["survey"] * TENANTS,
            "value": np.where(bad, 1.0, 5.0),
        }
    )
    pq.write_table(table, inputs / "features/outcomes.parquet")
    return make_release(base)


def test_evaluation_outcome_and_report_say_the_same(release: Release) -> None:
    reports = release.output("reports")
    [row] = release.evaluated["partitions"]
    [evaluation] = json.loads((reports / "evaluation.json").read_text())["partitions"]
    said = evaluation["validation"]
    assert said["validated"] is True
    [surveys] = said["outcomes"]
    assert (surveys["period"], surveys["trained"], surveys["direction"]) == ("concurrent", 0, "agrees")
    assert surveys["tenants"] == evaluation["counts"]["test"]["tenants"]
    assert surveys["auc"] > 0.9
    figure = f"AUC {surveys['auc']:.2f} ({surveys['low']:.2f} to {surveys['high']:.2f})"
    assert row["validation"] == f"Validated on {surveys['tenants']} surveys: {figure}."
    assert said["text"].startswith(row["validation"])
    assert said["text"] in " ".join((reports / "report.html").read_text().split())


def test_every_answer_says_it_and_the_digest_covers_it(release: Release) -> None:
    [row] = release.evaluated["partitions"]
    folder = release.models["all"]
    assert (folder / "validation.json").is_file()
    assert packed_digest(folder) == row["digest"]
    model = ServedModel.load(folder)
    table = read_features(release.base / "processing/input/features/features.parquet", use_case()).take(np.arange(2))
    batch = Batch(
        tenant_ids=table.tenant_id.tolist(),
        values=model.scorer.encoding.matrix(table),
        exposure_days=np.full(2, 365.0),
        explain=False,
        unknown_categories={},
    )
    said = json.loads(json_answer(batch, model))["validation"]["text"]
    assert said == model.validation.text
    assert said.startswith(row["validation"])
