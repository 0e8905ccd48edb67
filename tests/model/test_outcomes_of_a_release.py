"""A release whose batch has outcomes says what its answers are worth: everywhere, and with every answer."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta

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
RISK = {
    "event": "escalation",
    "where": "escalated",
    "within": "30d",
    "count": ["total_tickets"],
    "features": ["mean_full_resolution_hr"],
}


def at_four_moments() -> pa.Table:
    """Tenants of whom those who wait longest have an escalation, whatever the number of their tickets."""
    rng, rows = np.random.default_rng(0), 4 * TENANTS
    waits = rng.lognormal(0, 1, rows)
    return pa.table(
        {
            "tenant_id": [f"T{row % TENANTS}" for row in range(rows)],
            "as_of": pa.array([datetime(2026, 7, 4) + row // TENANTS * timedelta(days=30) for row in range(rows)]),
            "_happened": rng.random(rows) < waits / (waits + 8),
            "total_tickets": rng.poisson(5, rows).astype(float),
            "mean_full_resolution_hr": waits,
        }
    )


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    base = tmp_path_factory.mktemp("release")
    write_job_inputs(base, generated_table(TENANTS))
    inputs = base / "processing/input"
    rules = inputs / "use_case/use_case.yaml"
    shipped = yaml.safe_load((USE_CASE_FOLDER / "use_case.yaml").read_text())
    more = {key: shipped[key] for key in ("outcomes", "events")} | {"risk": RISK}
    rules.write_text(yaml.safe_dump(yaml.safe_load(rules.read_text()) | more))
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
    pq.write_table(at_four_moments(), inputs / "features/risk.parquet")
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


def test_a_list_by_risk_that_beats_the_count_is_written_shown_and_noted(release: Release) -> None:
    reports = release.output("reports")
    table = read_features(release.base / "processing/input/features/features.parquet", use_case())
    rows = list(csv.DictReader((reports / "escalation_risk.csv").open()))
    assert len(rows) == int((table.history != "insufficient").sum())
    hours = dict(zip(table.tenant_id.tolist(), table.column("mean_full_resolution_hr").tolist(), strict=True))
    first = [hours[row["tenant_id"]] for row in rows if row["rank"] == "1"]
    assert np.mean(first) > np.nanmean(list(hours.values()))
    said = json.loads((reports / "evaluation.json").read_text())["risk"]
    assert said["is_shipped"]
    assert [origin["moment"] for origin in said["origins"]] == ["2026-08-03", "2026-09-02", "2026-10-02"]
    page = " ".join((reports / "report.html").read_text().split())
    assert f"{said['text']}." in page
    assert f"1. {rows[0]['tenant_id']}</th>" in page[page.index('<section id="risk">') :]
    [row] = release.evaluated["partitions"]
    assert f"{said['text']}." in row["notes"]
