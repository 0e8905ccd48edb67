"""A pooled model of simulated portfolios in a folder."""

from __future__ import annotations

from pathlib import Path

from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.column_labels import label_partition
from tenant_experience.groups.file import GroupRows
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.training.trainer import parse_settings
from tenant_experience.training.training import TrainingRun, trainer_named
from tenant_experience.use_case.schema import UseCase

ALL = Partition("all", "all")


def train_pooled(table: FeatureTable, rules: UseCase, folder: Path, *, own: bool = False) -> GroupRows:
    """Trains as the script does; with ``own`` also the models that it is compared with."""
    settings = parse_settings(rules.trainer, trainer_named(rules.trainer), rules.hyperparameters)
    run = TrainingRun(rules, settings, "r1", pooled=True)
    groups = label_partition(table, ALL, rules)
    run.train_partition(table, groups, ALL, folder)
    if own:
        run.train_own(table, groups, folder)
    return groups
