"""Several classes and numbers are judged by what fits them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenant_experience.errors import AlgorithmError
from tenant_experience.evaluation.champion import Champion
from tenant_experience.evaluation.gates import check_gates
from tenant_experience.evaluation.partition import LiveModel, evaluate_partition
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase
from tests.support.generated_tenants import generated_table, use_case

ALL = Partition("all", "all")
TABLE = generated_table(1_500, portfolios=("north", "south"))
SEVERITY = np.log1p(TABLE.column("mean_full_resolution_hr")) + np.log1p(TABLE.column("total_maintenance_tickets"))
CLASSES = ["calm", "busy", "angry"]


def rules(**changes: Any) -> UseCase:
    """The use case with labels from a column."""
    document = use_case().model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"clustering", "costs"})
    return UseCase.model_validate(document | changes)


def judged(rules: UseCase, label: np.ndarray, folder: Path) -> dict[str, Any]:
    """Trains, judges against itself, and gives evaluation.json's part."""
    table = replace(TABLE, label=label)
    rows = label_partition(table, ALL, rules)
    settings = parse_settings("xgboost", trainer_named("xgboost"), {"n_estimators": "60", "max_depth": "4"})
    TrainingRun(rules, settings, "r1").train_partition(table, rows, ALL, folder)
    evaluation = evaluate_partition(table, rows, folder, rules, LiveModel(Champion("r0", folder), table))
    document: dict[str, Any] = json.loads(json.dumps(evaluation.document(), allow_nan=False))
    return document


@pytest.mark.parametrize("positive", [None, "angry"])
def test_several_classes(tmp_path: Path, positive: str | None) -> None:
    labels = {"from": "column", "column": "mood", "classes": CLASSES, "positive": positive}
    label = np.digitize(SEVERITY, np.quantile(SEVERITY, [0.4, 0.8])).astype(float)
    told = judged(rules(labels=labels), label, tmp_path)
    assert told["task"] == "multiclass"
    assert told["metrics"].keys() == told["intervals"].keys()
    assert told["metrics"]["roc_auc"] > 0.95
    matrix = np.array(told["confusion"]["matrix"])
    assert told["confusion"]["labels"] == CLASSES
    assert matrix.sum() == told["counts"]["test"]["tenants"]
    assert np.trace(matrix) / matrix.sum() == pytest.approx(told["metrics"]["accuracy"])
    assert told["missing_features"][5]["accuracy"] < told["metrics"]["accuracy"]
    assert told["champion"]["verdict"] == "equal"
    assert (told["changes"]["tenants"], told["changes"]["moved"]) == (1_500, 0)
    assert told["bad"] == (300 if positive else None)
    assert bool(told["portfolios"]) is bool(positive)


def test_a_number(tmp_path: Path) -> None:
    gates = {"r2": 0.5, "champion_loss": 0.1}
    told = judged(rules(labels={"from": "column", "column": "cost"}, gates=gates), 100 * SEVERITY, tmp_path)
    assert set(told["metrics"]) == {"rmse", "mae", "r2"}
    assert told["metrics"]["r2"] > 0.9
    low, high = told["intervals"]["rmse"]
    assert low < told["metrics"]["rmse"] < high
    assert (told["confusion"], told["calibration"], told["bad"], told["changes"]) == ({}, [], None, None)
    bands = told["bands"]
    assert sum(band["tenants"] for band in bands) == told["counts"]["test"]["tenants"]
    assert [band["mean_predicted"] for band in bands] == sorted(band["mean_predicted"] for band in bands)
    assert bands[-1]["mean_true"] > bands[0]["high"]
    assert told["missing_features"][3]["rmse"] > told["metrics"]["rmse"]
    assert (told["champion"]["loss"], told["champion"]["verdict"]) == ("rmse", "equal")
    assert [gate["name"] for gate in told["gates"]] == ["champion_loss", "r2"]


def test_each_broken_gate_is_named_with_its_limit_and_its_value(tmp_path: Path) -> None:
    gates = {"roc_auc": 1.0, "calibration_error": 0.0, "missing_accuracy": 0.999}
    labels = {"from": "column", "column": "left", "classes": ["stays", "leaves"], "positive": "leaves"}
    strict = rules(labels=labels, gates=gates)
    noise = np.random.default_rng(1).normal(0, 1, len(TABLE))
    told = judged(strict, (SEVERITY + noise > np.median(SEVERITY)).astype(float), tmp_path)
    assert [(gate["name"], gate["limit"], gate["passed"]) for gate in told["gates"]] == [
        ("champion_loss", 0.02, True),
        ("roc_auc", 1.0, False),
        ("missing_accuracy", 0.999, False),
        ("calibration_error", 0.0, False),
    ]
    rows = label_partition(replace(TABLE, label=(noise > 0).astype(float)), ALL, strict)
    evaluation = evaluate_partition(TABLE, rows, tmp_path, strict)
    with pytest.raises(AlgorithmError, match=r"gate roc_auc: the ROC AUC is 0.* gate missing_accuracy: ") as refusal:
        check_gates("all", evaluation.gates)
    assert refusal.value.code == "gate_roc_auc"


def test_a_class_that_a_part_lacks_is_refused_before_any_training() -> None:
    labels = {"from": "column", "column": "mood", "classes": CLASSES, "positive": None}
    label = (np.median(SEVERITY) < SEVERITY).astype(float)
    label[0] = 2
    with pytest.raises(AlgorithmError, match=r"[01] angry") as refused:
        label_partition(replace(TABLE, label=label), ALL, rules(labels=labels))
    assert refused.value.code == "one_class"
