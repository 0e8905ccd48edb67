"""The recurrent network: what it learns, that it can be made again, and what becomes of months that are not there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.artifact import ModelManifest, read_manifest
from tenant_experience.models.network_file import read_arrays
from tenant_experience.models.scoring import Scorer
from tenant_experience.models.served_model import ServedModel
from tenant_experience.training.fit import FitTask, FittedModel, fit
from tenant_experience.training.trainer import Dataset, Objective, parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named, usable_features
from tenant_experience.use_case.schema import UseCase
from tests.support.fit_tasks import fit_task
from tests.support.monthly_spend import SETTINGS, STEPS, spend_data, spend_table
from tests.support.places import ROOT

ALL = Partition("all", "all")
USE_CASE = UseCase.model_validate(SETTINGS)


def spend_task(trainer: str, **hyperparameters: Any) -> FitTask:
    settings = parse_settings(trainer, trainer_named(trainer), hyperparameters)
    manifest = ModelManifest(
        partition="all",
        slug="all",
        version="r1",
        trainer=trainer,
        features=STEPS,
        sequences={"spend": STEPS} if trainer == "recurrent_network" else {},
        scale="global",
        as_of="2026-11-01T00:00:00Z",
        hyperparameters=settings.model_dump(),
        code_version="1",
    )
    return FitTask(trainer_named(trainer), settings, manifest, spend_data(2_000, 1), spend_data(1_000, 2), 0.0)


@pytest.fixture(scope="module")
def fitted() -> FittedModel:
    return fit(spend_task("recurrent_network"))


def auc(fitted: FittedModel, data: Dataset) -> float:
    return float(roc_auc_score(data.labels, Scorer.of(fitted.content, fitted.manifest).outputs(data.matrix)))


def test_it_learns_what_only_the_order_of_months_shows(fitted: FittedModel) -> None:
    """No weighted sum of months says anything; with the months shuffled, nothing is left for the network either."""
    unseen = spend_data(5_000, 3)
    assert auc(fitted, unseen) == pytest.approx(0.986, abs=0.01)
    assert auc(fit(spend_task("linear")), unseen) == pytest.approx(0.5, abs=0.03)
    shuffled = np.random.default_rng(0).permuted(unseen.matrix, axis=1)
    assert auc(fitted, Dataset(shuffled, unseen.labels)) < 0.6


def test_it_answers_with_months_missing(fitted: FittedModel) -> None:
    unseen = spend_data(5_000, 3)
    matrix = unseen.matrix.copy()
    matrix[:, :4] = np.nan
    assert 0.85 < auc(fitted, Dataset(matrix, unseen.labels)) < auc(fitted, unseen)


def test_it_stops_by_the_validation_part_and_records_jax(fitted: FittedModel) -> None:
    assert fitted.manifest.model_file == "model.npz"
    assert 1 <= fitted.record.rounds < 60
    assert {"jax", "jaxlib", "numpy"} <= fitted.record.libraries.keys()
    fewer = fit(spend_task("recurrent_network", epochs=fitted.record.rounds))
    assert fewer.content == fitted.content
    assert fewer.record.validation_loss == fitted.record.validation_loss


def test_the_seed_decides_the_weights(fitted: FittedModel) -> None:
    few, other = (fit(spend_task("recurrent_network", epochs=1, seed=seed)) for seed in (0, 1))
    assert few.content not in (other.content, fitted.content)


def test_the_steps_of_a_sequence_are_scaled_alike(fitted: FittedModel) -> None:
    arrays = read_arrays(fitted.content)
    assert np.ptp(arrays["centre"]) == np.ptp(arrays["scale"]) == 0
    assert arrays["centre"][0] == pytest.approx(np.nanmean(spend_data(2_000, 1).matrix), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_every_process_makes_the_same_bytes_with_one_thread_however_many_it_may_use(threads: int) -> None:
    """In a process of its own, because JAX decides once in a process."""
    code = """
import hashlib
from pathlib import Path
from tenant_experience.training.fit import fit
from tests.support.fit_tasks import fit_task
content = fit(fit_task("recurrent_network", "binary")).content
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
print(hashlib.sha256(content).hexdigest(), sum("XLA" in name for name in names) <= 1)
"""
    flags = f"--xla_force_host_platform_device_count={threads}"
    environment = os.environ | {"NPROC": str(threads), "XLA_FLAGS": flags, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    here = fit(fit_task("recurrent_network", "binary")).content
    assert done.stdout.split() == [hashlib.sha256(here).hexdigest(), "True"]


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-6, 1e9])
def test_numbers_of_any_size_are_predicted(scale: float) -> None:
    given = fit_task("recurrent_network", "regression")
    parts = (given.train, given.validation)
    data = [replace(part, labels=(part.labels * scale + 5 * scale).astype(np.float32)) for part in parts]
    found = fit(replace(given, train=data[0], validation=data[1]))
    outputs = Scorer.of(found.content, found.manifest).outputs(given.validation.matrix)
    assert np.mean((outputs - data[1].labels) ** 2) < 0.5 * np.var(data[1].labels)


def test_columns_without_values_or_of_extreme_values_do_no_harm() -> None:
    given = fit_task("recurrent_network", "binary")
    wild = given.train.matrix.copy()
    wild[:, 2], wild[:, 3], wild[0, 0], wild[1, 1] = np.nan, 7.0, 3e38, -3e38
    found = fit(replace(given, train=replace(given.train, matrix=wild)))
    assert np.isfinite(Scorer.of(found.content, found.manifest).contributions(given.validation.matrix)).all()


@pytest.mark.slow
def test_fewer_rows_than_a_batch_are_enough() -> None:
    given = fit_task("recurrent_network", "multiclass")
    few = Dataset(given.train.matrix[:9], given.train.labels[:9])
    found = fit(replace(given, train=few, validation=few))
    assert found.record.train_rows == 9


def train(table: FeatureTable, folder: Path, use_case: UseCase = USE_CASE, *, pooled: bool = False) -> ServedModel:
    settings = parse_settings(use_case.trainer, trainer_named(use_case.trainer), {"epochs": 8})
    rows = label_partition(table, ALL, use_case)
    TrainingRun(use_case, settings, "r1", pooled=pooled).train_partition(table, rows, ALL, folder)
    return ServedModel.load(folder)


def changed(table: FeatureTable, value: float, *features: str) -> FeatureTable:
    values = table.values.copy()
    values[:, [table.features.index(name) for name in features]] = value
    return replace(table, values=values)


@pytest.mark.slow
def test_a_sequence_stays_whole_although_a_month_has_no_values(tmp_path: Path) -> None:
    table = changed(spend_table(1_000, 1), np.nan, "spend_12", "age")
    train(table, tmp_path)
    manifest = read_manifest(tmp_path)
    assert manifest.sequences == {"spend": STEPS}
    assert manifest.training is not None
    assert manifest.training.left_out_features == ("age",)
    assert usable_features(table)[1] == ["spend_12", "age"]


def test_a_sequence_that_is_alike_for_everybody_is_left_out(tmp_path: Path) -> None:
    both = {**SETTINGS, "sequences": {"early": list(STEPS[:6]), "late": list(STEPS[6:])}}
    train(changed(spend_table(1_000, 1), 3.0, *STEPS[:6]), tmp_path, UseCase.model_validate(both))
    assert read_manifest(tmp_path).sequences == {"late": STEPS[6:]}
    with pytest.raises(AlgorithmError, match=r"no sequence \(spend\) differs between the records") as refusal:
        train(changed(spend_table(1_000, 1), 3.0, *STEPS), tmp_path)
    assert refusal.value.code == "no_features"


@pytest.mark.slow
def test_several_sequences_are_the_same_model_in_whatever_order_they_are_named(tmp_path: Path) -> None:
    table, halves = spend_table(1_000, 1), {"late": list(STEPS[6:]), "early": list(STEPS[:6])}
    for name, sequences in {"a": halves, "b": dict(reversed(halves.items()))}.items():
        model = train(table, tmp_path / name, UseCase.model_validate({**SETTINGS, "sequences": sequences}))
        matrix = model.scorer.encoding.matrix(table)
        assert np.array_equal(model.publish(matrix).outputs, Scorer.load(tmp_path / name).outputs(matrix))
    assert (tmp_path / "a" / "model.npz").read_bytes() == (tmp_path / "b" / "model.npz").read_bytes()


def test_a_pooled_network_adds_levels_of_partitions(tmp_path: Path) -> None:
    table = spend_table(1_500, 1)
    assert table.label is not None
    chance = np.random.default_rng(0).random(len(table)) < 0.3
    label = np.where(chance, (table.portfolio_id == "west").astype(float), table.label)
    model = train(replace(table, label=label), tmp_path, pooled=True)
    manifest = model.scorer.manifest
    assert manifest.levels is not None
    east, west = manifest.levels.level
    assert west > east + 0.3
    matrix = model.scorer.encoding.matrix(table)
    published = model.publish(matrix)
    reasons = model.reasons(matrix, published)
    log_odds = np.log(published.outputs / (1 - published.outputs))
    assert np.abs(reasons.contributions.sum(axis=1) + reasons.baseline - log_odds).max() < 1e-5


def test_reasons_are_above_zero_exactly_where_the_answer_is_positive(fitted: FittedModel) -> None:
    model, matrix = ServedModel(Scorer.of(fitted.content, fitted.manifest)), spend_data(500, 4).matrix
    published = model.publish(matrix)
    reasons = model.reasons(matrix, published)
    total = reasons.contributions.sum(axis=1) + reasons.baseline
    assert np.array_equal(total >= 0, published.label == 1)
    assert np.abs(total - np.log(published.outputs / (1 - published.outputs))).max() < 1e-9


def test_without_sequences_no_other_trainer_changes_its_objective() -> None:
    assert Objective("binary", 2).sequences == ()
