"""Training of one partition's model: which trainers there are, and the artifact they leave."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from tenant_experience.errors import AlgorithmError, UserError
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.encoding import Encoding
from tenant_experience.statistics.splitting import TRAIN, VALIDATION
from tenant_experience.training.fit import Learned, Lesson, learn
from tenant_experience.training.hist_gradient_boosting import HistGradientBoostingTrainer
from tenant_experience.training.linear import LinearTrainer
from tenant_experience.training.trainer import Dataset, Trainer, TrainerSettings
from tenant_experience.training.xgboost import XGBoostTrainer
from tenant_experience.use_case.schema import TrainerName, UseCase

_log = logging.getLogger("training")

_FIGURES = ("train_rows", "validation_rows", "rounds", "validation_loss", "left_out_features")

TRAINERS: dict[TrainerName, Trainer] = {
    "xgboost": XGBoostTrainer(),
    "hist_gradient_boosting": HistGradientBoostingTrainer(),
    "linear": LinearTrainer(),
}


def trainer_named(name: str) -> Trainer:
    """The registered trainer.

    Raises:
        UserError: ``unknown_trainer``.
    """
    if name not in TRAINERS:
        raise UserError(f"use_case.yaml: trainer {name!r} is not one of {sorted(TRAINERS)}", code="unknown_trainer")
    return TRAINERS[name]


def usable_features(table: FeatureTable) -> tuple[list[str], list[str]]:
    """The features that tell some tenants from others, in order; and those that are null, or alike, for everyone."""
    usable: list[str] = []
    left_out: list[str] = []
    for name in table.features:
        column = table.column(name)
        alike = np.isnan(column).all() or bool(np.all(column == column[0]))
        (left_out if alike else usable).append(name)
    return usable, left_out


@dataclass(frozen=True)
class TrainingRun:
    """What is the same for every partition of a training job.

    Attributes:
        use_case: trainer, features and labels.
        settings: from ``trainer.parse_settings``.
        release: the version of every model made.
        learn: see ``lesson.learn``; or that, done by another process.
    """

    use_case: UseCase
    settings: TrainerSettings
    release: str
    learn: Callable[[Lesson], Learned] = learn

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
        labels = [groups.learnable(part, partition.partition).astype(np.float32) for part in (TRAIN, VALIDATION)]
        learnt_from = table.take(groups.split == TRAIN)
        features, left_out = usable_features(learnt_from)
        if not features:
            raise AlgorithmError(
                f"partition {partition.partition}: every feature is null, or the same, for all tenants of the train "
                "part: there is nothing to learn from",
                code="no_features",
            )
        if left_out:
            _log.warning("partition %s: left out, alike for every tenant: %s", partition.slug, ", ".join(left_out))
        encoding = Encoding.fit(learnt_from, features)
        validated = table.take(groups.split == VALIDATION)
        lesson = Lesson(
            trainer=trainer_named(self.use_case.trainer),
            settings=self.settings,
            manifest=self._manifest(partition, encoding, table.as_of),
            train=Dataset(encoding.matrix(learnt_from), labels[0]),
            validation=Dataset(encoding.matrix(validated), labels[1]),
            masking=self.use_case.masking,
            left_out_features=tuple(left_out),
        )
        learned = self.learn(lesson)
        learned.write(folder)
        # A tuning job reads this line: see sagemaker_scripts/train_model.py.
        _log.info("partition %s: validation_loss=%.6f", partition.slug, learned.record.validation_loss)
        told = learned.record.model_dump(mode="json")
        return {name: told[name] for name in _FIGURES}

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
            threshold=self.use_case.costs.threshold,
            scale=partition.scale,
            as_of=as_of,
            hyperparameters=self.settings.model_dump(),
            code_version=code_version(),
        )


def code_version() -> str:
    """The version of this package; ``uninstalled`` when it runs from a bare checkout."""
    try:
        return version("tenant-experience")
    except PackageNotFoundError:
        return "uninstalled"
