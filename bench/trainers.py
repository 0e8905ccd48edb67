"""Each trainer beside plain scikit-learn and XGBoost on the same split of generated rows: AUC, log loss, CPU seconds.

python -m bench.trainers --rows 20000
python -m bench.trainers --rows 20000 --lags

With --lags the twelve columns are one quantity at twelve lags, and only the order of the steps says anything. Without,
they are unrelated, and a trainer that needs sequences reads the first six as one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.scoring import Scorer
from tenant_experience.training.fit import FitTask, fit
from tenant_experience.training.trainer import Dataset, parse_settings
from tenant_experience.training.training import trainer_named
from tenant_experience.use_case.processing import NETWORKS
from tenant_experience.use_case.trainer_names import trainer_names

_COLUMNS = tuple(f"f{number}" for number in range(12))
Answers = NDArray[Any]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="to train on (default: %(default)s)")
    parser.add_argument("--lags", action="store_true", help="twelve lags of one quantity instead of twelve columns")
    options = parser.parse_args(arguments)
    draw = _lags if options.lags else _rows
    train, validation, test = (
        draw(seed, count) for seed, count in ((1, options.rows), (2, options.rows // 4), (3, 20_000))
    )
    print(f"{'':44}{'ROC AUC':>9}{'log loss':>10}{'CPU s':>8}{'model MB':>10}{'ms a row':>10}{'explained':>10}")
    for name in trainer_names():
        _ours(name, train, validation, test, _COLUMNS if options.lags else _COLUMNS[:6])
    plain: dict[str, Any] = {
        "RandomForestClassifier(200, min_leaf=5)": RandomForestClassifier(200, min_samples_leaf=5, random_state=0),
        "HistGradientBoostingClassifier()": HistGradientBoostingClassifier(random_state=0),
        "LogisticRegression()": make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
        "XGBClassifier()": xgboost.XGBClassifier(nthread=1),
    }
    for name, estimator in plain.items():
        start = time.process_time()
        estimator.fit(train.matrix, train.labels)
        _line(f"plain {name}", _probability(estimator), test, time.process_time() - start)
    return 0


def _ours(name: str, train: Dataset, validation: Dataset, test: Dataset, sequence: tuple[str, ...]) -> None:
    trainer = trainer_named(name)
    settings = parse_settings(name, trainer, {})
    manifest = ModelManifest(
        partition="all",
        slug="all",
        version="bench",
        trainer=name,
        features=_COLUMNS,
        sequences={"f": sequence} if name in NETWORKS else {},
        scale="global",
        as_of="2026-11-01T00:00:00Z",
        hyperparameters=settings.model_dump(),
        code_version="bench",
    )
    start = time.process_time()
    fitted = fit(FitTask(trainer, settings, manifest, train, validation, feature_dropout=0))
    seconds, scorer = time.process_time() - start, Scorer.of(fitted.content, fitted.manifest)
    alone = [_milliseconds(answer, test.matrix[:1]) for answer in (scorer.outputs, scorer.contributions)]
    size = f"{len(fitted.content) / 1e6:10.2f}{alone[0]:10.2f}{alone[1]:10.2f}"
    _line(name, scorer.outputs, test, seconds, size)


def _milliseconds(answer: Callable[[Answers], Answers], row: Answers) -> float:
    """CPU time of one row alone, the mean of fifty."""
    start = time.process_time()
    for _ in range(50):
        answer(row)
    return (time.process_time() - start) * 20


def _probability(estimator: Any) -> Callable[[Answers], Answers]:
    return lambda rows: np.asarray(estimator.predict_proba(rows)[:, 1])


def _line(name: str, answer: Callable[[Answers], Answers], test: Dataset, seconds: float, served: str = "") -> None:
    said = answer(test.matrix)
    figures = f"{roc_auc_score(test.labels, said):9.4f}{log_loss(test.labels, said):10.4f}{seconds:8.2f}"
    print(f"{name:44}{figures}{served}")


def _lags(seed: int, count: int) -> Dataset:
    """A quantity that drifts or swings around a level: every step alone, and every weighted sum, says nothing."""
    chance = np.random.default_rng(seed)
    swings = chance.permutation(np.arange(count) % 2)
    steps = [chance.normal(size=count)]
    for _ in _COLUMNS[1:]:
        steps.append(np.where(swings == 1, -0.6, 0.6) * steps[-1] + 0.8 * chance.normal(size=count))
    matrix = (np.column_stack(steps) + 0.5 * chance.normal(size=(count, 1))).astype(np.float32)
    matrix[chance.random(matrix.shape) < 0.1] = np.nan
    return Dataset(matrix, swings.astype(np.float32))


def _rows(seed: int, count: int) -> Dataset:
    """Labels that three columns, a product and noise decide; a tenth of the values is missing."""
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(count, len(_COLUMNS))).astype(np.float32)
    number = 1.5 * matrix[:, 0] - matrix[:, 1] + matrix[:, 2] ** 2 + matrix[:, 3] * matrix[:, 4]
    labels = number + chance.normal(0, 1.5, count) > 1
    matrix[chance.random(matrix.shape) < 0.1] = np.nan
    return Dataset(matrix, labels.astype(np.float32))


if __name__ == "__main__":
    raise SystemExit(main())
