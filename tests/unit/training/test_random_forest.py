"""The forest: what is served is what XGBoost grew, its leaves are shares, and its size has a bound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xgboost
from pydantic import TypeAdapter, ValidationError

from tenant_experience.errors import UserError
from tenant_experience.models.scoring import Scorer
from tenant_experience.training.fit import fit
from tenant_experience.training.trainer import Objective, parse_settings
from tenant_experience.training.trainers.random_forest import RandomForestSettings, grow
from tenant_experience.training.training import trainer_named
from tenant_experience.training.tuning_request import check_hyperparameters
from tenant_experience.use_case.labels import Task
from tenant_experience.use_case.trainer_names import TrainerName, trainer_names
from tenant_experience.use_case.tuning import Tuning
from tests.support.fit_tasks import CLASSES, COLUMNS, dataset, fit_task
from tests.support.parameters import mostly_slow

TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")


@pytest.mark.parametrize("task", TASKS)
def test_the_forest_that_is_served_is_the_one_that_was_grown(task: Task) -> None:
    given, objective = fit_task("random_forest", task), Objective(task, CLASSES[task])
    assert isinstance(given.settings, RandomForestSettings)
    trained = given.trainer.train(given.train, given.validation, COLUMNS, objective, given.settings)
    grown = grow(given.train, COLUMNS, objective, given.settings)
    unseen = dataset(task, 3, missing=0.4).matrix
    expected = grown.predict(xgboost.DMatrix(unseen, feature_names=list(COLUMNS)), output_margin=True)
    served = Scorer.of(trained.content, given.manifest).margins(unseen)
    assert served.shape == expected.shape
    assert np.abs(served - expected).max() < 1e-6 * max(1, np.abs(expected).max())


def test_a_leaf_is_the_share_of_its_rows() -> None:
    """One tree of all rows and one split: the vote is the mean label of each side of the split."""
    given = fit_task("random_forest", "binary")
    settings = RandomForestSettings(n_estimators=1, max_depth=1, subsample=1, colsample_bynode=1)
    objective = Objective("binary", 2)
    trained = given.trainer.train(given.train, given.validation, COLUMNS, objective, settings)
    votes = Scorer.of(trained.content, given.manifest).margins(given.train.matrix) / 4 + 0.5
    sides = np.unique(votes)
    assert len(sides) == 2
    for side in sides:
        assert given.train.labels[votes == side].mean() == pytest.approx(side, abs=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_no_leaf_has_fewer_rows_than_asked_for(task: Task) -> None:
    given = fit_task("random_forest", task)
    settings = RandomForestSettings(n_estimators=3, min_samples_leaf=40, subsample=1)
    booster = grow(given.train, COLUMNS, Objective(task, CLASSES[task]), settings)
    places = booster.predict(xgboost.DMatrix(given.train.matrix, feature_names=list(COLUMNS)), pred_leaf=True)
    places = places.reshape(len(given.train.labels), -1)
    assert min(np.unique(tree, return_counts=True)[1].min() for tree in places.T) >= 40
    assert max(len(np.unique(tree)) for tree in places.T) > 2


def test_another_seed_grows_another_forest() -> None:
    given, objective = fit_task("random_forest", "binary"), Objective("binary", 2)
    contents = {
        given.trainer.train(
            given.train, given.validation, COLUMNS, objective, RandomForestSettings(n_estimators=5, seed=seed)
        ).content
        for seed in (0, 1)
    }
    assert len(contents) == 2


def test_a_forest_that_is_too_large_is_refused() -> None:
    trainer = trainer_named("random_forest")
    with pytest.raises(UserError, match="n_estimators times max_leaves must not be above 262144") as refusal:
        parse_settings("random_forest", trainer, {"n_estimators": "2000", "max_leaves": "4096"})
    assert refusal.value.code == "bad_hyperparameter"
    given, settings = fit_task("random_forest", "multiclass"), RandomForestSettings(n_estimators=64, max_leaves=4096)
    with pytest.raises(UserError, match="3 classes times n_estimators=64") as refusal:
        trainer.train(given.train, given.validation, COLUMNS, Objective("multiclass", 3), settings)
    assert refusal.value.code == "bad_hyperparameter"


def test_its_hyperparameters_are_searched_by_name() -> None:
    def tuning(name: str, least: float, most: float) -> Tuning:
        return Tuning.model_validate({"ranges": {name: {"kind": "integer", "minimum": least, "maximum": most}}})

    check_hyperparameters("random_forest", {}, tuning("max_leaves", 16, 512))
    with pytest.raises(UserError, match="does not know the hyperparameters learning_rate"):
        check_hyperparameters("random_forest", {}, tuning("learning_rate", 1, 2))
    with pytest.raises(UserError, match="max_leaves must not be above"):
        check_hyperparameters("random_forest", {}, tuning("max_leaves", 16, 4096))


def test_an_unknown_trainer_is_refused_when_the_use_case_is_read() -> None:
    assert {"hist_gradient_boosting", "linear", "random_forest", "xgboost"} <= set(trainer_names())
    for name in ("oracle", "_booster", "__init__", "", "../linear", "linear.py"):
        with pytest.raises(ValidationError, match="is unknown; use one of hist_gradient_boosting, linear, random"):
            TypeAdapter(TrainerName).validate_python(name)


@pytest.mark.parametrize("task", mostly_slow(TASKS, kept=(0,)))
@pytest.mark.parametrize("name", trainer_names())
def test_a_saved_model_answers_as_it_did_and_any_changed_byte_is_found(name: str, task: Task, tmp_path: Path) -> None:
    fitted = fit(fit_task(name, task, feature_dropout=0.3))
    fitted.write(tmp_path)
    probes = dataset(task, 5, 300, missing=0.5).matrix
    before = Scorer.of(fitted.content, fitted.manifest)
    loaded = Scorer.load(tmp_path)
    assert np.array_equal(loaded.outputs(probes), before.outputs(probes))
    for place in np.random.default_rng(0).integers(0, len(fitted.content), 20):
        damaged = bytearray(fitted.content)
        damaged[place] ^= 1
        (tmp_path / fitted.manifest.model_file).write_bytes(damaged)
        with pytest.raises(UserError) as refusal:
            Scorer.load(tmp_path)
        assert refusal.value.code == "model_damaged"


def test_trees_side_by_side_in_one_round_are_refused() -> None:
    fitted = fit(fit_task("random_forest", "binary"))
    booster = xgboost.Booster(model_file=bytearray(fitted.content))
    document = json.loads(booster.save_raw("json"))
    document["learner"]["gradient_booster"]["model"]["gbtree_model_param"]["num_parallel_tree"] = "40"
    with pytest.raises(UserError, match="gbtree_model_param does not describe the trees") as refusal:
        Scorer.of(_as_ubj(document), fitted.manifest)
    assert refusal.value.code == "model_unreadable"


def _as_ubj(document: dict) -> bytes:
    booster = xgboost.Booster()
    booster.load_model(bytearray(json.dumps(document).encode()))
    return bytes(booster.save_raw("ubj"))
