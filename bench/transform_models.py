"""The models and rows of ``bench.transform``: the shipped tenants with groups and redraws, and churn of customers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.baselines import build_features
from bench.million import write_features
from operations.batch import use_case_folder
from tenant_experience.data_layout import FEATURES_FILE
from tenant_experience.features.table import FeatureTable, read_examples, read_features
from tenant_experience.groups.backtest import with_priors
from tenant_experience.groups.clustering import group_partition
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.jobs.partition_runs import Partition, read_shard
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase, load_use_case

_TRAINING_TENANTS, _PORTFOLIOS = 20_000, 80


@dataclass(frozen=True)
class Scored:
    """A model, and rows that it is asked about.

    Attributes:
        name: for the table.
        folder: of the model.
        features: of the rows: names, in the order of the model.
        rows: of each, a value for each feature: a number, a text, or None.
        days: of each, how long it was seen; None where the model does not ask.
        ids: of each.
    """

    name: str
    folder: Path
    features: tuple[str, ...]
    rows: list[list[Any]]
    days: list[float] | None
    ids: list[str]

    def model(self) -> ServedModel:
        """Read from its folder."""
        return ServedModel.load(self.folder)


def tenants(base: Path, count: int) -> Scored:
    """Distinct generated tenants, scored by groups that were found, and a model that was trained, on others."""
    use_case = load_use_case(use_case_folder("tenant_experience"))
    path = base / "features" / FEATURES_FILE
    write_features(str(path), _TRAINING_TENANTS + count, _PORTFOLIOS, "T{:08d}")
    table = read_features(path, use_case)
    known, new = table.take(np.arange(_TRAINING_TENANTS)), table.take(np.arange(_TRAINING_TENANTS, len(table)))
    everyone, folder = Partition("all", "all"), base / "model"
    grouping, groups = group_partition(known, everyone, use_case, "bench")
    with_priors(grouping, known, use_case.history.window_days).write(folder)
    _run(use_case).train_partition(known, groups, everyone, folder)
    days = [float(each) for each in new.side["exposure_days"].tolist()]
    return _scored("tenants", folder, new, days)


def churn(base: Path, count: int) -> Scored:
    """The generated customers of one dimension, again and again with other minutes, scored by plain trees."""
    folder, use_case = use_case_folder("telecom_churn"), load_use_case(use_case_folder("telecom_churn"))
    features = build_features(folder, base / "job")
    table, partition = read_examples(features, use_case), read_shard(features, 0)[0]
    labels = label_partition(table.of_partition(partition.slug), partition, use_case)
    (base / "model").mkdir(parents=True)
    _run(use_case).train_partition(table, labels, partition, base / "model")
    chance = np.random.default_rng(0)
    own = table.of_partition(partition.slug)
    many = own.take(chance.integers(0, len(own), count))
    numbers = [place for place, name in enumerate(many.features) if name.endswith(("_minutes", "_charge"))]
    values = many.values.copy()
    values[:, numbers] *= chance.uniform(0.9, 1.1, size=(count, len(numbers))).round(3)
    return _scored("churn", base / "model", many, None, values)


def _run(use_case: UseCase) -> TrainingRun:
    given = {name: str(value) for name, value in use_case.hyperparameters.items()}
    return TrainingRun(use_case, parse_settings(use_case.trainer, trainer_named(use_case.trainer), given), "bench")


def _scored(
    name: str, folder: Path, table: FeatureTable, days: list[float] | None, values: Floats | None = None
) -> Scored:
    columns = []
    model_features = ServedModel.load(folder).scorer.manifest.features
    for feature in model_features:
        column = (table.values if values is None else values)[:, table.features.index(feature)].tolist()
        known = table.categories.get(feature)
        columns.append([None if cell != cell else known[int(cell)] if known else cell for cell in column])
    ids = [f"{name}-{number:08d}" for number in range(len(table))]
    return Scored(name, folder, model_features, [list(row) for row in zip(*columns, strict=True)], days, ids)
