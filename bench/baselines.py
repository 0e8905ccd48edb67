"""A use case's models beside plain scikit-learn and XGBoost, on the same split of its own generated data.

``.venv/bin/python -m bench.baselines bank_marketing`` prints, per model, what each says of the test part. The plain
models learn from the training and the validation part together, with their libraries' own settings; the project's model
stops its training by the validation part. ``--input`` takes a folder of files instead of generated ones.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from demo.generator import load_generator
from operations.batch import use_case_folder
from tenant_experience.evaluation._intervals import Measured, measured
from tenant_experience.evaluation.scored_rows import ScoredRows, published
from tenant_experience.features.table import FeatureTable, read_examples
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.jobs.partition_runs import Partition, read_shard
from tenant_experience.models.encoding import Encoding
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.splitting import TEST, TRAIN, VALIDATION
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase, load_use_case
from tests.support.feature_job import FeatureJob

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
OURS = "this project"
_SHOWN = ("roc_auc", "pr_auc", "log_loss", "brier", "concordance", "mae", "rmse")


@dataclass(frozen=True)
class Comparison:
    """What several models say of the same test part.

    Attributes:
        partition: whose model it is.
        rows: in the training, the validation and the test part.
        answers: name of a model -> its answers for the test part; the first is ``OURS``.
    """

    partition: str
    rows: tuple[int, int, int]
    answers: dict[str, ScoredRows]


def compare(features: Path, use_case: UseCase, scratch: Path) -> Iterator[Comparison]:
    """Compare the models of every partition of a use case with two classes, or a number, to predict.

    Args:
        features: the folder that BuildFeatures wrote.
        use_case: its trainer and its settings are used as they are.
        scratch: for the models.
    """
    table = read_examples(features, use_case)
    given = {name: str(value) for name, value in use_case.hyperparameters.items()}
    run = TrainingRun(use_case, parse_settings(use_case.trainer, trainer_named(use_case.trainer), given), "r1")
    for partition in read_shard(features, 0):
        yield _compare(run, table, partition, scratch / partition.slug)


def _compare(run: TrainingRun, table: FeatureTable, partition: Partition, folder: Path) -> Comparison:
    rows = label_partition(table.of_partition(partition.slug), partition, run.use_case)
    folder.mkdir(parents=True)
    run.train_partition(table, rows, partition, folder)
    model = ServedModel.load(folder)
    aligned, labels = rows.align(table), rows.label
    test, known = rows.split == TEST, np.isin(rows.split, (TRAIN, VALIDATION))
    encoding = Encoding.fit(aligned.take(known), table.features)
    seen, unseen = encoding.matrix(aligned.take(known)), encoding.matrix(aligned.take(test))
    answers = {OURS: published(model, model.scorer.encoding.matrix(aligned.take(test)), labels[test]).rows}
    if run.use_case.labels.task == "regression":
        window = run.use_case.labels.horizon_days
        labels = labels if window is None else np.minimum(labels, window)
        for name, plain in plain_regressions().items():
            number: Floats = plain.fit(seen, labels[known]).predict(unseen).astype(np.float64)
            answers[name] = ScoredRows("regression", labels[test], number, horizon=window)
    else:
        for name, plain in plain_models().items():
            found: Floats = plain.fit(seen, labels[known]).predict_proba(unseen)[:, 1].astype(np.float64)
            answers[name] = ScoredRows("binary", labels[test], found)
    sizes = tuple(int((rows.split == part).sum()) for part in (TRAIN, VALIDATION, TEST))
    return Comparison(partition.partition, (sizes[0], sizes[1], sizes[2]), answers)


def plain_models() -> dict[str, Any]:
    """What anybody would try first."""
    logistic = LogisticRegression(max_iter=1_000)
    return {
        "XGBoost": XGBClassifier(n_jobs=2, random_state=0),
        "logistic regression": make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), logistic),
    }


def plain_regressions() -> dict[str, Any]:
    """The same for a number; of days until an event, it is counted up to the window, so that all of them are known."""
    return {
        "XGBoost": XGBRegressor(n_jobs=2, random_state=0),
        "ridge regression": make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), Ridge()),
    }


def build_features(use_case: Path, base: Path, given: Path | None = None, seed: int = 0) -> Path:
    """Run BuildFeatures over generated or given files; answers with the folder of features."""
    job = FeatureJob(base, use_case=use_case.name)
    if given is None:
        load_generator(use_case)(job.raw, AS_OF, seed)
    else:
        shutil.copytree(given, job.raw, dirs_exist_ok=True)
    outcome = job.run({} if given else {"as_of": f"{AS_OF:%Y-%m-%dT%H:%M:%SZ}"})
    if outcome["status"] != "ok":
        raise SystemExit(f"BuildFeatures refused: {outcome['message']}")
    return job.output("features")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; always 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.baselines", description=__doc__)
    parser.add_argument("use_case", help="the name of a folder in use_cases/")
    parser.add_argument("--input", type=Path, help="a folder of files (default: generated)")
    parser.add_argument("--seed", type=int, default=0, help="of the generated files (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = use_case_folder(options.use_case)
    with TemporaryDirectory() as base:
        features = build_features(folder, Path(base) / "job", options.input, options.seed)
        for each in compare(features, load_use_case(folder), Path(base) / "models"):
            print("{}: {} rows to train, {} to validate, {} to test".format(each.partition, *each.rows))
            for name, answers in each.answers.items():
                print(f"  {name:20} {_figures(measured(answers))}")
    return 0


def _figures(found: Measured) -> str:
    texts = []
    for name in (each for each in _SHOWN if each in found.metrics):
        low, high = found.intervals[name] or (np.nan, np.nan)
        digits = 2 if name in ("mae", "rmse") else 3
        texts.append(f"{name} {found.metrics[name]:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
    return "  ".join(texts)


if __name__ == "__main__":
    sys.exit(main())
