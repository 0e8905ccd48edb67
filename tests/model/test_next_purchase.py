"""The shipped use case next_purchase: its model ranks customers better than anything simple does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.baselines import AS_OF
from demo.generator import load_generator
from operations.batch import USE_CASES
from tenant_experience.evaluation.partition import evaluate_partition
from tenant_experience.features.table import read_examples
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.statistics.splitting import TEST
from tenant_experience.statistics.survival import concordance
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import load_use_case
from tests.support.feature_job import FeatureJob

ALL = Partition("all", "all")


def test_it_ranks_better_than_recency_frequency_or_gaps_do(tmp_path: Path) -> None:
    use_case = load_use_case(USE_CASES / "next_purchase")
    job = FeatureJob(tmp_path / "job", use_case="next_purchase")
    load_generator(USE_CASES / "next_purchase")(job.raw, AS_OF, 0)
    outcome = job.run({"as_of": "2026-11-01T00:00:00Z"})
    assert outcome["status"] == "ok", outcome
    table = read_examples(job.output("features"), use_case)
    rows = label_partition(table, ALL, use_case)
    settings = parse_settings(use_case.trainer, trainer_named(use_case.trainer), use_case.hyperparameters)
    folder = tmp_path / "model"
    folder.mkdir()
    TrainingRun(use_case, settings, "r1").train_partition(table, rows, ALL, folder)
    evaluation = evaluate_partition(table, rows, folder, use_case)
    window = use_case.labels.horizon_days or 0
    test = rows.align(table).take(rows.split == TEST)
    assert test.label is not None
    times, censored = np.minimum(test.label, window), test.label >= window
    simple = {
        "recency": test.column("recency_days"),
        "frequency": -test.column("orders") / test.column("known_days"),
        "gaps": np.nan_to_num(test.column("mean_gap_days"), nan=60.0),
        "recent orders": -test.column("orders_90_days"),
    }
    found = {name: concordance(times, censored, values)[0] for name, values in simple.items()}
    ours = evaluation.metrics["concordance"]
    assert ours > max(found.values()) + 0.01, (ours, found)
    assert all(gate.passed for gate in evaluation.gates), evaluation.gates
    told = sum(row.tenants * abs(row.mean_probability - row.share) for row in evaluation.calibration)
    assert told / sum(row.tenants for row in evaluation.calibration) < 0.05
