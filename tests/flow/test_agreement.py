"""``model_probability`` of a thousand tenants is what plain XGBoost in this process answers for them."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import numpy as np
import pyarrow.parquet as parquet
import pytest
import xgboost

from operations.releases import FinishedRelease
from tenant_experience.jobs.archive import extract_archive
from tenx.main import main
from tests.support.flow import STATE, Flow

TENANTS = 1000


@pytest.mark.slow
def test_a_thousand_answers_equal_the_models_own(flow: Flow, first: FinishedRelease, tmp_path: Path) -> None:
    live = flow.live()
    assert live is not None
    version = live["models"]["all"]
    s3 = boto3.client("s3")
    s3.download_file(flow.bucket, f"models/all/{version}/model.tar.gz", str(tmp_path / "model.tar.gz"))
    extract_archive(tmp_path / "model.tar.gz", tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / "model.json").read_text())
    names, calibration = manifest["features"], manifest["calibration"]
    booster = xgboost.Booster(model_file=tmp_path / "model" / "model.ubj")

    s3.download_file(flow.bucket, f"features/{first.release}/features.parquet", str(tmp_path / "features.parquet"))
    table = parquet.read_table(tmp_path / "features.parquet").to_pylist()
    known = [row for row in table if row["history"] != "insufficient"][:TENANTS]
    assert len(known) == TENANTS
    matrix = np.array([[np.nan if row[name] is None else row[name] for name in names] for row in known])
    margins = booster.predict(xgboost.DMatrix(matrix, feature_names=names), output_margin=True).astype(np.float64)
    expected = 1 / (1 + np.exp(-(calibration["slope"] * margins + calibration["intercept"])))

    answered: dict[str, float] = {}
    for start in range(0, TENANTS, 100):
        ids = [row["tenant_id"] for row in known[start : start + 100]]
        answer = flow.ask_predictions(json={"tenant_ids": ids})
        assert answer.status_code == 200, answer.text
        answered |= {row["tenant_id"]: row["model_probability"] for row in answer.json()["predictions"]}
    found = np.array([answered[row["tenant_id"]] for row in known])
    assert np.abs(found - expected).max() <= 1e-6
    assert 0.05 < found.mean() < 0.95


def test_the_registered_model_is_made_again_byte_for_byte(flow: Flow, first: FinishedRelease) -> None:
    assert flow.live() is not None
    assert main(["replay", first.release, "--laptop", str(STATE)]) == 0
