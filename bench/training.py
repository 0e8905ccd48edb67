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
from tenant_experience.training.fit import Lesson
from tenant_experience.training.fit_pool import learners
from tenant_experience.training.trainer import Dataset, parse_settings
from tenant_experience.training.training import TRAINERS

_COLUMNS = tuple(f"f{number}" for number in range(12))
_SETTINGS = {"n_estimators": 200, "early_stopping_rounds": 30, "max_depth": 5, "learning_rate": 0.1}


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=20_000, help="of each model (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, taking turns (default: %(default)s)")
    options = parser.parse_args(arguments)
    lessons = [_lesson(number, options.rows) for number in range(options.models)]
    ours, plain = [], []
    for _ in range(options.repeat):
        ours.append(_seconds(_one_per_core, lessons))
        plain.append(_seconds(_one_after_another, lessons))
    first, second = statistics.median(ours), statistics.median(plain)
    print(  # noqa: T201
        f"{options.models} models of {options.rows} rows, {available_cpus()} cores: one per core {first:.1f} s, "
        f"one after another {second:.1f} s, ratio {second / first:.2f}x, load {os.getloadavg()[0]:.1f}"
    )
    return 0


def _one_per_core(lessons: list[Lesson]) -> None:
    count = available_cpus()
    with learners(count) as learn, ThreadPoolExecutor(count) as threads:
        list(threads.map(learn, lessons))


def _one_after_another(lessons: list[Lesson]) -> None:
    """As XGBoost does it when nothing is said: every core, and 256 bins."""
    settings = {name: value for name, value in _SETTINGS.items() if name in ("max_depth", "learning_rate")}
    threads = available_cpus()
    for lesson in lessons:
        learned = xgboost.QuantileDMatrix(lesson.train.matrix, lesson.train.labels, nthread=threads)
        watched = xgboost.QuantileDMatrix(
            lesson.validation.matrix, lesson.validation.labels, ref=learned, nthread=threads
        )
        xgboost.train(
            {**settings, "objective": "binary:logistic", "tree_method": "hist", "nthread": threads},
            learned,
            num_boost_round=_SETTINGS["n_estimators"],
            evals=[(watched, "validation")],
            early_stopping_rounds=_SETTINGS["early_stopping_rounds"],
            verbose_eval=False,
        )


def _seconds(way: Callable[[list[Lesson]], None], lessons: list[Lesson]) -> float:
    start = time.perf_counter()
    way(lessons)
    return time.perf_counter() - start


def _lesson(seed: int, rows: int) -> Lesson:
    settings = parse_settings("xgboost", TRAINERS["xgboost"], _SETTINGS)
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
    return Lesson(TRAINERS["xgboost"], settings, manifest, train, validation, masking=0)


if __name__ == "__main__":
    raise SystemExit(main())
