"""Days until an event: XGBoost's survival:aft, and every other trainer with days counted up to the window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from tenant_experience.errors import UserError
from tenant_experience.models._booster_structure import check_booster
from tenant_experience.models._ubjson import read_ubjson
from tenant_experience.models.artifact import ModelManifest, TimeToEvent, read_manifest
from tenant_experience.models.scoring import Scorer
from tenant_experience.statistics.reliability import tenths
from tenant_experience.statistics.survival import Distribution, concordance, expected_within, shares_within
from tenant_experience.training._feature_dropout import with_dropout_copy
from tenant_experience.training.fit import FitTask, FittedModel, fit
from tenant_experience.training.trainer import Dataset, parse_settings
from tenant_experience.training.training import trainer_named
from tenant_experience.training.tuning_request import check_hyperparameters
from tenant_experience.use_case.labels import Labels

WINDOW = 60
COLUMNS = ("calls", "hours", "rate")
AFT = {"objective": "survival:aft", "n_estimators": 150, "learning_rate": 0.1, "max_depth": 3}


def world(
    seed: int, rows: int, scale: float = 0.7, distribution: Distribution = "normal"
) -> tuple[Dataset, np.ndarray]:
    """Rows followed for 60 to 180 days, and the true location of each."""
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(rows, len(COLUMNS))).astype(np.float32)
    location = 3.5 + 0.8 * matrix[:, 0] - 0.5 * np.abs(matrix[:, 1])
    draw = {"normal": chance.normal, "logistic": chance.logistic}.get(distribution)
    noise = -chance.gumbel(size=rows) if draw is None else draw(size=rows)
    days, followed = np.exp(location + scale * noise), chance.choice([60.0, 120.0, 180.0], rows)
    data = Dataset(matrix, np.minimum(days, followed).astype(np.float32), days > followed)
    return data, location


def task(distribution: Distribution | None = "normal", trainer: str = "xgboost", rows: int = 4_000) -> FitTask:
    given = {**AFT, "aft_loss_distribution": distribution, "aft_loss_distribution_scale": 0.7} if distribution else {}
    settings = parse_settings(trainer, trainer_named(trainer), given)
    manifest = ModelManifest(
        partition="all",
        slug="all",
        version="r1",
        trainer=trainer,
        task="regression",
        features=COLUMNS,
        labels=(),
        positive_label=None,
        time_to_event=TimeToEvent(window_days=WINDOW, distribution=distribution),
        scale="global",
        as_of="2026-11-01T00:00:00Z",
        hyperparameters=settings.model_dump(),
        code_version="1",
    )
    train, validation = (world(seed, rows, distribution=distribution or "normal")[0] for seed in (1, 2))
    if distribution is None:
        train, validation = (
            Dataset(part.matrix, np.minimum(part.labels, np.float32(WINDOW))) for part in (train, validation)
        )
    return FitTask(trainer_named(trainer), settings, manifest, train, validation, 0.0)


@pytest.fixture(scope="module")
def fitted() -> FittedModel:
    return fit(task())


def test_answers_are_those_of_xgboost_to_the_last_bit(fitted: FittedModel, tmp_path: Path) -> None:
    fitted.write(tmp_path)
    scorer = Scorer.load(tmp_path)
    matrix = world(3, 5_000)[0].matrix
    matrix[::7, 1] = np.nan
    booster = xgboost.Booster()
    booster.load_model(tmp_path / "model.ubj")
    rows = xgboost.DMatrix(matrix, missing=np.nan, feature_names=list(COLUMNS))
    assert scorer.outputs(matrix).tolist() == booster.predict(rows).astype(float).tolist()
    assert scorer.margins(matrix).tolist() == booster.predict(rows, output_margin=True).tolist()
    np.testing.assert_allclose(scorer.outputs(matrix), np.exp(scorer.margins(matrix)), rtol=1e-6)


def test_reasons_add_up_to_the_logarithm_of_the_days(fitted: FittedModel) -> None:
    scorer = Scorer.of(fitted.content, fitted.manifest)
    matrix = world(3, 200)[0].matrix
    contributions, baseline = scorer.reasons(matrix)
    np.testing.assert_allclose(contributions.sum(axis=1) + baseline, np.log(scorer.outputs(matrix)), atol=1e-4)


@pytest.mark.parametrize("distribution", ["normal", "logistic", "extreme"])
def test_it_ranks_nearly_as_well_as_the_truth_and_its_probabilities_come_true(distribution: Distribution) -> None:
    model = fit(task(distribution))
    scorer, times = Scorer.of(model.content, model.manifest), model.manifest.time_to_event
    assert times is not None
    assert times.scale == pytest.approx(0.7, rel=0.1)
    data, location = world(3, 20_000, distribution=distribution)
    days, censored = np.minimum(data.labels, WINDOW).astype(float), data.labels >= WINDOW
    ours = concordance(days, censored, scorer.outputs(data.matrix))[0]
    truth = concordance(days, censored, location)[0]
    assert truth - 0.01 < ours <= truth + 0.002
    margins = scorer.margins(data.matrix).astype(float)
    told = shares_within(margins, WINDOW, distribution, times.scale or 0)
    distances = [abs((told - ~censored)[tenths(told) == number].sum()) for number in range(10)]
    assert sum(distances) / len(told) < 0.03
    expected = expected_within(margins, WINDOW, distribution, times.scale or 0)
    assert expected.mean() == pytest.approx(days.mean(), rel=0.04)


def test_censored_rows_that_counted_as_events_would_be_told_too_few_days() -> None:
    """What the censoring is for."""
    honest = task()
    naive = replace(
        honest,
        train=replace(honest.train, censored=np.zeros(len(honest.train.labels), dtype=bool)),
        validation=replace(honest.validation, censored=np.zeros(len(honest.validation.labels), dtype=bool)),
    )
    data, location = world(3, 5_000)
    slow = location > 4
    mean = {}
    for name, each in (("honest", honest), ("naive", naive)):
        model = fit(each)
        mean[name] = np.log(Scorer.of(model.content, model.manifest).outputs(data.matrix[slow])).mean()
    assert mean["honest"] == pytest.approx(location[slow].mean(), abs=0.1)
    assert mean["naive"] < mean["honest"] - 0.05


@pytest.mark.parametrize("trainer", ["xgboost", "linear", "random_forest", "hist_gradient_boosting"])
def test_every_other_trainer_answers_days_within_the_window(trainer: str) -> None:
    model = fit(task(None, trainer, rows=1_500))
    scorer = Scorer.of(model.content, model.manifest)
    data, location = world(3, 3_000)
    extreme = np.vstack([data.matrix, 50 * data.matrix])
    answers = scorer.outputs(extreme)
    assert answers.min() >= 0
    assert answers.max() <= WINDOW
    days, censored = np.minimum(data.labels, WINDOW).astype(float), data.labels >= WINDOW
    answers = answers[: len(days)]
    assert answers.mean() == pytest.approx(days.mean(), rel=0.05)
    assert concordance(days, censored, answers)[0] > concordance(days, censored, location)[0] - 0.06


def test_an_event_at_the_very_cut_off_is_learnt_from() -> None:
    """The logarithm of 0 days is no number."""
    each = task(rows=1_000)
    labels = each.train.labels.copy()
    labels[:200] = 0
    zero = replace(each, train=Dataset(each.train.matrix, labels, each.train.censored & (labels > 0)))
    model = fit(zero)
    assert np.isfinite(Scorer.of(model.content, model.manifest).outputs(each.validation.matrix)).all()


def test_a_copy_with_hidden_features_is_censored_alike() -> None:
    each = task(rows=300)
    copy = with_dropout_copy(each.train, each.manifest.encoding, 0.3, np.random.default_rng(0))
    assert copy.censored is not None
    assert each.train.censored is not None
    assert copy.censored.tolist() == each.train.censored.tolist() * 2
    assert fit(replace(each, feature_dropout=0.3)).record.train_rows == 300


def test_the_same_task_gives_the_same_bytes_and_censoring_belongs_to_its_digest(fitted: FittedModel) -> None:
    again = fit(task())
    assert (again.content, again.record) == (fitted.content, fitted.record)
    each = task()
    assert each.train.censored is not None
    other = replace(each, train=replace(each.train, censored=~each.train.censored))
    assert fit(other).record.data_sha256 != fitted.record.data_sha256


def test_its_manifest_survives_being_written(fitted: FittedModel, tmp_path: Path) -> None:
    fitted.write(tmp_path)
    assert read_manifest(tmp_path).time_to_event == fitted.manifest.time_to_event


@pytest.mark.parametrize("other", [None, TimeToEvent(window_days=WINDOW)])
def test_a_model_of_times_beside_another_manifest_is_refused(fitted: FittedModel, other: TimeToEvent | None) -> None:
    with pytest.raises(UserError, match="do not belong together"):
        Scorer.of(fitted.content, fitted.manifest.model_copy(update={"time_to_event": other}))


def test_a_base_of_no_days_is_refused(fitted: FittedModel) -> None:
    booster = xgboost.Booster()
    booster.load_model(bytearray(fitted.content))
    text = read_ubjson(fitted.content)["learner"]["learner_model_param"]["base_score"]
    damaged = fitted.content.replace(text.encode(), f"[-1{' ' * (len(text) - 4)}]".encode())
    assert damaged != fitted.content
    with pytest.raises(ValueError, match="base_score of times"):
        check_booster(damaged)


@pytest.mark.parametrize(
    "labels",
    [
        {"from": "column", "column": "cost"},
        {"from": "events", "column": "soon", "window": "60d", "classes": ["no", "yes"], "positive": "yes"},
    ],
)
def test_the_objective_is_for_days_only(labels: dict[str, Any]) -> None:
    given = {"objective": "survival:aft"}
    with pytest.raises(UserError, match="days until an event") as refusal:
        check_hyperparameters("xgboost", given, labels=Labels.model_validate(labels))
    assert refusal.value.code == "bad_hyperparameter"
    days = {"from": "events", "column": "days", "window": "60d"}
    check_hyperparameters("xgboost", given, labels=Labels.model_validate(days))
