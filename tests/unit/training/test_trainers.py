"""Each trainer for each task: its artifact says what the library that trained it says, missing values included."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tenant_experience.errors import UserError
from tenant_experience.models.scoring import Scorer
from tenant_experience.training.booster_format import exclusive_thresholds
from tenant_experience.training.fit import FittedModel, fit
from tenant_experience.training.fit_pool import fit_pool
from tenant_experience.training.trainer import Objective, parse_settings
from tenant_experience.training.trainers import hist_gradient_boosting as hist_gradient_boosting_trainer
from tenant_experience.training.trainers import linear as linear_trainer
from tenant_experience.training.trainers.hist_gradient_boosting import HistGradientBoostingSettings
from tenant_experience.training.trainers.linear import LinearSettings
from tenant_experience.training.training import trainer_named
from tenant_experience.use_case.labels import Task
from tenant_experience.use_case.processing import NETWORKS
from tenant_experience.use_case.trainer_names import trainer_names
from tests.support.fit_tasks import CLASSES, COLUMNS, dataset, fit_task

TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
NAMES = tuple(trainer_names())


def scorer(fitted: FittedModel) -> Scorer:
    return Scorer.of(fitted.content, fitted.manifest)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        # A network compiles for seconds.
        pytest.param(name, task, marks=pytest.mark.slow) if name in NETWORKS and task != "binary" else (name, task)
        for name in NAMES
        for task in TASKS
    ],
)
def test_every_trainer_fits_every_task(name: str, task: Task) -> None:
    fitted, unseen = fit(fit_task(name, task)), dataset(task, 3, 500)
    outputs = scorer(fitted).outputs(unseen.matrix)
    assert outputs.dtype == np.float64
    assert np.isfinite(outputs).all()
    if task == "regression":
        assert outputs.shape == (500,)
        assert np.mean((outputs - unseen.labels) ** 2) < 0.8 * np.var(unseen.labels)
        return
    if task == "binary":
        assert outputs.shape == (500,)
        assert np.mean((outputs >= 0.5) == unseen.labels) > 0.75
        return
    assert outputs.shape == (500, 3)
    assert outputs.sum(axis=1) == pytest.approx(np.ones(500))
    assert np.mean(outputs.argmax(axis=1) == unseen.labels) > 0.6


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_task_gives_the_same_artifact(name: str, task: Task) -> None:
    first, second = (fit(fit_task(name, task, feature_dropout=0.3)) for _ in range(2))
    assert first.content == second.content
    assert first.manifest == second.manifest
    assert first.record.validation_loss > 0


def margins_of(fitted: Any, matrix: np.ndarray, task: Task) -> np.ndarray:
    said: np.ndarray = fitted.predict(matrix) if task == "regression" else fitted.decision_function(matrix)
    return said


@pytest.mark.parametrize("task", TASKS)
def test_trees_of_scikit_learn_are_converted_exactly(task: Task) -> None:
    given, objective = fit_task("hist_gradient_boosting", task), Objective(task, CLASSES[task])
    assert isinstance(given.settings, HistGradientBoostingSettings)
    trained = given.trainer.train(given.train, given.validation, COLUMNS, objective, given.settings)
    ours = Scorer.of(trained.content, given.manifest).margins(dataset(task, 3).matrix)
    # As many rounds as were kept: without early stopping scikit-learn's own estimator has no others.
    settings = given.settings.model_copy(update={"max_iter": trained.rounds, "n_iter_no_change": trained.rounds})
    fitted = hist_gradient_boosting_trainer.fit_estimator(given.train, given.validation, objective, settings)
    assert fitted.n_iter_ == trained.rounds
    assert np.abs(ours - margins_of(fitted, dataset(task, 3).matrix, task)).max() < 1e-5
    if task != "regression":
        plain = Scorer.of(trained.content, given.manifest).outputs(dataset(task, 3).matrix)
        said = fitted.predict_proba(dataset(task, 3).matrix)
        assert np.abs(plain - (said[:, 1] if task == "binary" else said)).max() < 1e-6


@pytest.mark.parametrize("task", TASKS)
def test_a_linear_model_is_converted_exactly(task: Task) -> None:
    given, objective = fit_task("linear", task), Objective(task, CLASSES[task])
    assert isinstance(given.settings, LinearSettings)
    trained = given.trainer.train(given.train, given.validation, COLUMNS, objective, given.settings)
    assert trained.scaling is not None
    filled = np.nan_to_num(trained.scaling.apply(given.train.matrix))
    fitted = linear_trainer.fit_estimator(filled, given.train.labels, objective, given.settings)
    manifest = given.manifest.model_copy(update={"scaling": trained.scaling})
    unseen = dataset(task, 3).matrix
    expected = margins_of(fitted, np.nan_to_num(trained.scaling.apply(unseen)), task)
    assert np.abs(Scorer.of(trained.content, manifest).margins(unseen) - expected).max() < 1e-5


@pytest.mark.parametrize("name", ["xgboost", "hist_gradient_boosting", "random_forest"])
def test_trees_keep_to_the_directions_that_are_known(name: str) -> None:
    """Also for rows of which something is missing; without directions, this data makes some trees step back."""
    unseen = dataset("binary", 3, rows=300, missing=0.3).matrix
    higher = unseen.copy()
    higher[:, 0] += np.abs(np.random.default_rng(0).normal(size=len(unseen))).astype(np.float32)
    lower = unseen.copy()
    lower[:, 1] -= 0.5

    def rise(directions: dict[str, int], changed: np.ndarray) -> float:
        fitted = fit(replace(fit_task(name, "binary", feature_dropout=0.3), directions=directions))
        scorer = Scorer.of(fitted.content, fitted.manifest)
        return float((scorer.outputs(changed) - scorer.outputs(unseen)).min())

    known = {"calls": 1, "hours": -1}
    assert rise(known, higher) >= 0
    assert rise(known, lower) >= 0
    assert min(rise({}, higher), rise({}, lower)) < 0


def test_a_threshold_that_includes_becomes_one_that_excludes() -> None:
    chance = np.random.default_rng(0)
    values = np.unique(np.float32([-1e30, -1, -0.0, 1e-40, 0.1, 0.3, 1, 3e38]))
    around = np.concatenate([values, np.nextafter(values, np.float32(9)), np.nextafter(values, np.float32(-9))])
    highest = np.concatenate([around.astype(np.float64), chance.normal(size=50), [np.inf]])
    excluding = exclusive_thresholds(highest)
    for bound, limit in zip(highest, excluding, strict=True):
        assert np.array_equal(around <= bound, around.astype(np.float64) < limit)
        assert np.float32(limit) == limit


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_contributions_and_a_bias_sum_to_the_answer(name: str, task: Task) -> None:
    model = scorer(fit(fit_task(name, task)))
    matrix = dataset(task, 3, 200).matrix
    told = model.contributions(matrix).sum(axis=1)
    assert model.contributions(matrix).shape == (200, 4)
    outputs = model.outputs(matrix)
    if task == "multiclass":
        # Towards each row's most likely class, each of which has a bias of its own.
        likely, slope = outputs.argmax(axis=1), model.manifest.calibration.slope  # type: ignore[union-attr]
        bias = slope * model.margins(matrix)[np.arange(200), likely] - told
        assert max(np.ptp(bias[likely == label]) for label in np.unique(likely)) < 1e-4
        return
    answer = np.log(outputs / (1 - outputs)) if task == "binary" else outputs
    assert np.ptp(answer - told) < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_wrong_hyperparameters_are_named_by_every_trainer(name: str) -> None:
    with pytest.raises(
        UserError, match=f"trainer {name} does not know the hyperparameters depht; it knows seed"
    ) as refusal:
        parse_settings(name, trainer_named(name), {"depht": "4"})
    assert refusal.value.code == "unknown_hyperparameter"
    with pytest.raises(UserError, match="seed='-1'") as refusal:
        parse_settings(name, trainer_named(name), {"seed": "-1"})
    assert refusal.value.code == "bad_hyperparameter"


@pytest.mark.slow
def test_several_processes_fit_what_one_does() -> None:
    tasks = [fit_task(name, "binary", feature_dropout=0.3) for name in NAMES]
    with fit_pool(2) as fit_elsewhere, ThreadPoolExecutor(2) as threads:
        elsewhere = list(threads.map(fit_elsewhere, tasks))
    assert elsewhere == [fit(each) for each in tasks]


def test_a_refusal_gets_from_one_process_to_another() -> None:
    refusal = pickle.loads(pickle.dumps(UserError("no such column", code="missing_column")))  # noqa: S301 - our own
    assert (type(refusal), refusal.message, refusal.code) == (UserError, "no such column", "missing_column")


def test_files_of_two_models_are_refused() -> None:
    two, three = (fit(fit_task("xgboost", task)) for task in TASKS[:2])
    for content, manifest in ((two.content, three.manifest), (three.content, two.manifest)):
        with pytest.raises(UserError, match="they do not belong together") as refusal:
            Scorer.of(content, manifest)
        assert refusal.value.code == "model_features"
    linear = fit(fit_task("linear", "binary"))
    with pytest.raises(UserError, match="not an XGBoost model of this program") as refusal:
        Scorer.of(linear.content, linear.manifest.model_copy(update={"scaling": None}))
    assert refusal.value.code == "model_unreadable"


@pytest.mark.parametrize("name", NAMES)
def test_threads_get_the_answers_that_one_alone_gets(name: str) -> None:
    model, matrix = scorer(fit(fit_task(name, "binary"))), dataset("binary", 3, 400).matrix
    parts = [matrix[start : start + 1] for start in range(400)]
    alone = [model.outputs(part) for part in parts]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(model.outputs, parts)) == alone
