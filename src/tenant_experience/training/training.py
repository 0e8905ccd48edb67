"""Training of one partition's model: the trainers there are, and the artifact that they write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.data_layout import GROUPING_FILE, OWN_MODELS, partition_slug
from tenant_experience.errors import AlgorithmError, UserError
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.grouping import Grouping, Scale
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.models.artifact import ModelManifest, TimeToEvent
from tenant_experience.models.encoding import Encoding, Matrix
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.splitting import TRAIN, VALIDATION
from tenant_experience.training import trainers
from tenant_experience.training.fit import FitTask, FittedModel, fit
from tenant_experience.training.levels import with_levels
from tenant_experience.training.trainer import Dataset, Trainer, TrainerSettings
from tenant_experience.use_case.schema import UseCase
from tenant_experience.use_case.trainer_names import trainer_names

_log = logging.getLogger("training")

# Models of single partitions that a pooled model is compared with: together no more rows than the pooled model has.
MOST_OWN = 50
_FIGURES = ("train_rows", "validation_rows", "rounds", "validation_loss", "left_out_features")


def trainer_named(name: str) -> Trainer:
    """The trainer of the module of that name in ``trainers``.

    Raises:
        UserError: ``unknown_trainer``.
    """
    if name not in trainer_names():
        raise UserError(
            f"use_case.yaml: trainer {name!r} is unknown; use one of {', '.join(trainer_names())}",
            code="unknown_trainer",
        )
    trainer: Trainer = import_module(f"{trainers.__name__}.{name}").TRAINER
    return trainer


def usable_features(table: FeatureTable, sequences: Collection[Collection[str]] = ()) -> tuple[list[str], list[str]]:
    """The features that differ between tenants, in order; and those that have no value or one value for all tenants.

    A sequence stays whole when one of its features differs between tenants.
    """
    differing = {name for name in table.features if not _alike(table.column(name))}
    whole = {name for names in sequences if differing.intersection(names) for name in names}
    kept = differing | whole
    return [name for name in table.features if name in kept], [name for name in table.features if name not in kept]


def _alike(column: Floats) -> bool:
    return bool(np.isnan(column).all() or np.all(column == column[0]))


def fit_encoding(train: FeatureTable, sequences: Collection[Collection[str]] = ()) -> tuple[Encoding, list[str]]:
    """How a model that is trained on these rows reads its features, and the features that it does not read."""
    usable, left_out = usable_features(train, sequences)
    return Encoding.fit(train, usable), left_out


@dataclass(frozen=True)
class TrainingRun:
    """What is the same for every partition of a training job.

    Attributes:
        use_case: trainer, features and labels.
        settings: from ``trainer.parse_settings``.
        release: the version of every model made.
        fit: ``fit.fit``, or the same done by another process (``fit_pool``).
        pooled: whether the global model gets levels for the partitions of its tenants (``models.scope: pooled``).
    """

    use_case: UseCase
    settings: TrainerSettings
    release: str
    fit: Callable[[FitTask], FittedModel] = fit
    pooled: bool = False

    def train_partition(
        self, table: FeatureTable, groups: GroupRows, partition: Partition, folder: Path
    ) -> dict[str, Any]:
        """Trains one partition's model and writes its file and ``model.json`` into ``folder``.

        Args:
            table: features of the release's tenants.
            groups: the partition's rows of groups.parquet.
            partition: whose model it is.
            folder: made when missing.

        Returns:
            Figures for the outcome.

        Raises:
            AlgorithmError: ``no_features``, or ``one_class`` when a part of the split has tenants of one class only.
        """
        task = self._task(table, groups, partition, folder)
        model = self.fit(task)
        if self.pooled:
            column, tenants = self.use_case.partition_column, groups.align(table)
            model = with_levels(task, model, column, tenants, groups.split, self.fit)
        model.write(folder)
        # A tuning job reads this line: see sagemaker_scripts/train_model.py.
        _log.info("partition %s: validation_loss=%.6f", partition.slug, model.record.validation_loss)
        record = model.record.model_dump(mode="json")
        return {name: record[name] for name in _FIGURES}

    def train_own(self, table: FeatureTable, groups: GroupRows, folder: Path) -> None:
        """Trains models of single partitions on the same rows as the pooled model, which is compared with them.

        They are only for the comparison, so they are trained for the largest ``MOST_OWN`` partitions that may have a
        model of their own (``models.minimum_tenants``), and a partition that cannot have one goes without.

        Args:
            table: features of the release's tenants.
            groups: of the global model.
            folder: of the global model; ``own/<slug>`` in it gets the models.
        """
        aligned = groups.align(table)
        names, counts = np.unique(aligned.portfolio_id[groups.split != ""], return_counts=True)
        for place in np.argsort(-counts, kind="stable")[:MOST_OWN]:
            if counts[place] < self.use_case.models.minimum_tenants or not names[place]:
                continue
            partition = Partition(str(names[place]), partition_slug(str(names[place])))
            rows = groups.take(aligned.portfolio_id == names[place])
            own = folder / OWN_MODELS / partition.slug
            try:
                replace(self, pooled=False).train_partition(table, rows, partition, own)
            except AlgorithmError as error:
                _log.warning("partition %s is not compared with a model of its own: %s", partition.slug, error)

    def _task(self, table: FeatureTable, groups: GroupRows, partition: Partition, folder: Path) -> FitTask:
        table = groups.align(table)
        labels = [groups.learnable(part, partition.partition).astype(np.float32) for part in (TRAIN, VALIDATION)]
        train_table = table.take(groups.split == TRAIN)
        encoding, left_out = fit_encoding(train_table, self.use_case.read_sequences.values())
        if not encoding.features:
            raise AlgorithmError(
                f"partition {partition.partition}: every feature has no value or one value only in the training part, "
                "so there is nothing to train a model on. Check the features in the data-quality report",
                code="no_features",
            )
        if left_out:
            _log.warning(
                "partition %s: these features have no value, or one value only, and are left out: %s",
                partition.slug,
                ", ".join(left_out),
            )
        validation_table = table.take(groups.split == VALIDATION)
        manifest = self._manifest(partition, encoding, table.as_of, _scale(partition, folder))
        return FitTask(
            trainer=trainer_named(self.use_case.trainer),
            settings=self.settings,
            manifest=manifest.model_copy(update={"time_to_event": self._time_to_event(train_table)}),
            train=self._dataset(encoding.matrix(train_table), labels[0], train_table),
            validation=self._dataset(encoding.matrix(validation_table), labels[1], validation_table),
            feature_dropout=self.use_case.feature_dropout,
            left_out_features=tuple(left_out),
            directions=self._directions(),
        )

    def _sequences(self, features: Collection[str], partition: Partition) -> dict[str, tuple[str, ...]]:
        """The sequences that the trainer reads, without those that were left out as a whole."""
        declared = self.use_case.read_sequences
        kept = {name: tuple(names) for name, names in declared.items() if set(names) <= set(features)}
        if declared and not kept:
            raise AlgorithmError(
                f"partition {partition.partition}: no sequence ({', '.join(declared)}) differs between the "
                f"{self.use_case.words.records} of the training part, so there is nothing that "
                f"{self.use_case.trainer} could read. Check the features in the data-quality report, or choose "
                "another trainer",
                code="no_features",
            )
        return kept

    def _dataset(self, matrix: Matrix, labels: NDArray[np.float32], table: FeatureTable) -> Dataset:
        """Days until an event are censored for a trainer that learns from such, and else counted up to the window."""
        window = self.use_case.labels.horizon_days
        if window is None:
            return Dataset(matrix, labels)
        if self.settings.distribution is None:
            return Dataset(matrix, np.minimum(labels, np.float32(window)))
        return Dataset(matrix, labels, table.censored)

    def _time_to_event(self, table: FeatureTable) -> TimeToEvent | None:
        window = self.use_case.labels.horizon_days
        if window is None:
            return None
        share = 0.0 if table.censored is None else float(table.censored.mean())
        return TimeToEvent(window_days=window, distribution=self.settings.distribution, censored=share)

    def _directions(self) -> dict[str, int]:
        """Which way each marker moves the answer, where the rule of the groups is known to move one way too.

        Of two groups with centroids, the worse one is the worse one on every marker (``groups_not_ordered``), so a
        tenant must not look better because something got worse.
        """
        clustering = self.use_case.clustering
        if clustering is None or clustering.groups > 2 or clustering.method == "gaussian_mixture":
            return {}
        return {name: self.use_case.features[name].direction for name in clustering.markers}

    def _manifest(self, partition: Partition, encoding: Encoding, as_of: str, scale: Scale) -> ModelManifest:
        return ModelManifest(
            partition=partition.partition,
            slug=partition.slug,
            version=self.release,
            trainer=self.use_case.trainer,
            task=self.use_case.labels.task,
            features=encoding.features,
            categories=dict(encoding.categories),
            sequences=self._sequences(encoding.features, partition),
            labels=tuple(self.use_case.labels.classes or ()),
            positive_label=self.use_case.labels.positive,
            threshold=self.use_case.costs.threshold,
            scale=scale,
            as_of=as_of,
            split=self.use_case.unusual_split,
            hyperparameters=self.settings.model_dump(),
            code_version=code_version(),
        )


def _scale(partition: Partition, folder: Path) -> Scale:
    """The groups that the labels come from may have been found on other tenants."""
    return Grouping.read(folder).scale if (folder / GROUPING_FILE).is_file() else partition.scale


def code_version() -> str:
    """The version of this package; ``uninstalled`` when it runs from a bare checkout."""
    try:
        return version("tenant-experience")
    except PackageNotFoundError:
        return "uninstalled"
