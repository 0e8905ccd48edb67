"""Training of one partition's model: which trainers there are, and the artifact they leave."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from tenant_experience.data_layout import MODEL_FILE
from tenant_experience.encoding import Encoding, Matrix
from tenant_experience.errors import AlgorithmError, UserError
from tenant_experience.feature_table import FeatureTable
from tenant_experience.group_file import GroupRows
from tenant_experience.model_artifact import ModelManifest
from tenant_experience.partition_runs import Partition
from tenant_experience.splitting import TRAIN, VALIDATION
from tenant_experience.trainer import Dataset, Objective, Settings, Trainer
from tenant_experience.use_case import UseCase
from tenant_experience.xgboost_trainer import XGBoostTrainer

_log = logging.getLogger("training")

TRAINERS: dict[str, Trainer] = {"xgboost": XGBoostTrainer()}


def trainer_named(name: str) -> Trainer:
    """The registered trainer.

    Raises:
        UserError: ``unknown_trainer``.
    """
    if name not in TRAINERS:
        raise UserError(f"use_case.yaml: trainer {name!r} is not one of {sorted(TRAINERS)}", code="unknown_trainer")
    return TRAINERS[name]


def usable_features(table: FeatureTable) -> tuple[list[str], list[str]]:
    """The features that some tenant has a value of, in order; and those that none has."""
    empty = np.isnan(table.values).all(axis=0)
    names = np.asarray(table.features, dtype=np.str_)
    return names[~empty].tolist(), names[empty].tolist()


@dataclass(frozen=True)
class TrainingRun:
    """What is the same for every partition of a training job.

    Attributes:
        use_case: trainer, features and labels.
        settings: from ``Trainer.settings``.
        release: the version of every model made.
        threads: CPUs to use.
    """

    use_case: UseCase
    settings: Settings
    release: str
    threads: int

    def train_partition(
        self, table: FeatureTable, groups: GroupRows, partition: Partition, folder: Path
    ) -> dict[str, Any]:
        """Trains one partition's model and writes ``model.ubj`` and ``model.json`` into ``folder``.

        Args:
            table: features of the release's tenants.
            groups: the partition's rows of groups.parquet.
            partition: whose model it is.
            folder: made when missing.

        Returns:
            Figures for the outcome.

        Raises:
            AlgorithmError: ``no_features``, or ``one_class`` when a part of the split holds one group only.
        """
        table = groups.align(table)
        learnt_from = table.take(groups.split == TRAIN)
        features, left_out = usable_features(learnt_from)
        if not features:
            raise AlgorithmError(f"partition {partition.partition}: no feature has any value", code="no_features")
        if left_out:
            _log.warning("partition %s: left out, null for every tenant: %s", partition.slug, ", ".join(left_out))
        encoding = Encoding.fit(learnt_from, features)
        matrix = encoding.matrix(table)
        train, validation = (_dataset(matrix, groups, part, partition) for part in (TRAIN, VALIDATION))
        trainer = trainer_named(self.use_case.trainer)
        objective = Objective(self.use_case.labels.task, len(groups.classes or ()))
        model = trainer.train(train, validation, encoding.columns, objective, self.settings, self.threads)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_FILE).write_bytes(model.content)
        self._manifest(partition, encoding, table.as_of).write(folder)
        return {
            "train_rows": len(train.labels),
            "validation_rows": len(validation.labels),
            "rounds": model.rounds,
            "validation_loss": model.validation_loss,
            "left_out_features": left_out,
        }

    def _manifest(self, partition: Partition, encoding: Encoding, as_of: str) -> ModelManifest:
        return ModelManifest(
            partition=partition.partition,
            slug=partition.slug,
            version=self.release,
            trainer=self.use_case.trainer,
            task=self.use_case.labels.task,
            features=encoding.features,
            categories=dict(encoding.categories),
            labels=tuple(self.use_case.labels.classes or ()),
            positive_label=self.use_case.labels.positive,
            scale=partition.scale,
            as_of=as_of,
            hyperparameters=dict(self.settings),
            code_version=code_version(),
        )


def code_version() -> str:
    """The version of this package; ``uninstalled`` when it runs from a bare checkout."""
    try:
        return version("tenant-experience")
    except PackageNotFoundError:
        return "uninstalled"


def _dataset(matrix: Matrix, groups: GroupRows, part: str, partition: Partition) -> Dataset:
    rows = groups.split == part
    labels = groups.label[rows].astype(np.float32)
    if len(np.unique(labels)) < max(2, len(groups.classes or ())):
        counted = Counter(labels.tolist())
        found = ", ".join(f"{counted[number]:.0f} {name}" for number, name in enumerate(groups.classes or ()))
        raise AlgorithmError(
            f"partition {partition.partition}: the {len(labels)} tenants of the {part} part have "
            f"{found or f'{len(counted)} different labels'}: there is nothing to tell apart",
            code="one_class",
        )
    return Dataset(matrix[rows], labels)
