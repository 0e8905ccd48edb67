"""Each trainer beside plain scikit-learn and XGBoost on the same split of generated rows: AUC, log loss, CPU seconds.

python -m bench.trainers --rows 20000
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
from tenant_experience.use_case.trainer_names import trainer_names

_COLUMNS = tuple(f"f{number}" for number in range(12))
Answers = NDArray[Any]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="to train on (default: %(default)s)")
    options = parser.parse_args(arguments)
    train, validation, test = (
        _rows(seed, count) for seed, count in ((1, options.rows), (2, options.rows // 4), (3, 20_000))
    )
    print(f"{'':44}{'ROC AUC':>9}{'log loss':>10}{'CPU s':>8}{'model MB':>10}")
    for name in trainer_names():
        _ours(name, train, validation, test)
    plain: dict[str, Any] = {
        "RandomForestClassifier(200, min_leaf=5)": RandomForestClassifier(200, min_samples_leaf=5, random_state=0),
        "HistGradientBoostingClassifier()": HistGradientBoostingClassifier(random_state=0),
        "LogisticRegression()": make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
        "XGBClassifier()": xgboost.XGBClassifier(nthread=1),
    }
    for name, estimator in plain.items():
        start = time.process_time()
        estimator.fit(train.matrix, train.labels)
        _line(f"plain {name}", _probability(estimator), test, start, None)
    return 0


def _ours(name: str, train: Dataset, validation: Dataset, test: Dataset) -> None:
    trainer = trainer_named(name)
    settings = parse_settings(name, trainer, {})
    manifest = ModelManifest(
        partition="all",
        slug="all",
        version="bench",
        trainer=name,
        features=_COLUMNS,
        scale="global",
        as_of="2026-11-01T00:00:00Z",
        hyperparameters=settings.model_dump(),
        code_version="bench",
    )
    start = time.process_time()
    fitted = fit(FitTask(trainer, settings, manifest, train, validation, feature_dropout=0))
    _line(name, Scorer.of(fitted.content, fitted.manifest).outputs, test, start, len(fitted.content))


def _probability(estimator: Any) -> Callable[[Answers], Answers]:
    return lambda rows: np.asarray(estimator.predict_proba(rows)[:, 1])


def _line(name: str, answer: Callable[[Answers], Answers], test: Dataset, start: float, content: int | None) -> None:
    seconds = time.process_time() - start
    said = answer(test.matrix)
    size = "" if content is None else f"{content / 1e6:.2f}"
    figures = f"{roc_auc_score(test.labels, said):9.4f}{log_loss(test.labels, said):10.4f}{seconds:8.2f}{size:>10}"
    print(f"{name:44}{figures}")


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
