"""Many models: one process a core, each with one thread and 64 bins, beside one after another on all cores.

Both train the same models from the same rows by XGBoost with the same settings, in turns; the first way also calibrates
and reads back each model, and its time includes the start of its processes. What counts is the ratio.

    python -m bench.training --models 50 --rows 20000 --repeat 3
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import xgboost

from tenant_experience.jobs.instance_resources import available_cpus
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.training.fit import FitTask
from tenant_experience.training.fit_pool import fit_pool
from tenant_experience.training.trainer import Dataset, parse_settings
from tenant_experience.training.training import trainer_named

_COLUMNS = tuple(f"f{number}" for number in range(12))
_SETTINGS = {"n_estimators": 200, "early_stopping_rounds": 30, "max_depth": 5, "learning_rate": 0.1}


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=20_000, help="of each model (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, taking turns (default: %(default)s)")
    options = parser.parse_args(arguments)
    tasks = [_task(number, options.rows) for number in range(options.models)]
    ours, plain = [], []
    for _ in range(options.repeat):
        ours.append(_seconds(_one_per_core, tasks))
        plain.append(_seconds(_one_after_another, tasks))
    first, second = statistics.median(ours), statistics.median(plain)
    print(  # noqa: T201
        f"{options.models} models of {options.rows} rows, {available_cpus()} cores: one per core {first:.1f} s, "
        f"one after another {second:.1f} s, ratio {second / first:.2f}x, load {os.getloadavg()[0]:.1f}"
    )
    return 0


def _one_per_core(tasks: list[FitTask]) -> None:
    count = available_cpus()
    with fit_pool(count) as fit, ThreadPoolExecutor(count) as threads:
        list(threads.map(fit, tasks))


def _one_after_another(tasks: list[FitTask]) -> None:
    """With XGBoost's defaults: every core, and 256 bins."""
    settings = {name: value for name, value in _SETTINGS.items() if name in ("max_depth", "learning_rate")}
    threads = available_cpus()
    for task in tasks:
        train_rows = xgboost.QuantileDMatrix(task.train.matrix, task.train.labels, nthread=threads)
        validation_rows = xgboost.QuantileDMatrix(
            task.validation.matrix, task.validation.labels, ref=train_rows, nthread=threads
        )
        xgboost.train(
            {**settings, "objective": "binary:logistic", "tree_method": "hist", "nthread": threads},
            train_rows,
            num_boost_round=_SETTINGS["n_estimators"],
            evals=[(validation_rows, "validation")],
            early_stopping_rounds=_SETTINGS["early_stopping_rounds"],
            verbose_eval=False,
        )


def _seconds(way: Callable[[list[FitTask]], None], tasks: list[FitTask]) -> float:
    start = time.perf_counter()
    way(tasks)
    return time.perf_counter() - start


def _task(seed: int, rows: int) -> FitTask:
    settings = parse_settings("xgboost", trainer_named("xgboost"), _SETTINGS)
    manifest = ModelManifest(
        partition=f"p{seed}",
        slug=f"p{seed}",
        version="bench",
        trainer="xgboost",
        features=_COLUMNS,
        scale="local",
        as_of="2026-11-01T00:00:00Z",
        hyperparameters=settings.model_dump(),
        code_version="bench",
    )
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(rows, len(_COLUMNS))).astype(np.float32)
    # Noise enough that no run stops early: the time is that of the same number of trees.
    labels = (matrix[:, :6].sum(axis=1) + matrix[:, 6] * matrix[:, 7] > chance.normal(0, 1, rows)).astype(np.float32)
    cut = rows * 7 // 9
    train, validation = Dataset(matrix[:cut], labels[:cut]), Dataset(matrix[cut:], labels[cut:])
    return FitTask(trainer_named("xgboost"), settings, manifest, train, validation, feature_dropout=0)


if __name__ == "__main__":
    raise SystemExit(main())
