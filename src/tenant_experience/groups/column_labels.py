"""Labels that come from a column of the data: classes or numbers."""

from __future__ import annotations

import numpy as np

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable
from tenant_experience.groups.file import GroupRows
from tenant_experience.groups.split import split_tenants, with_label
from tenant_experience.jobs.partition_runs import Partition
from tenant_experience.statistics.splitting import TEST, TRAIN, VALIDATION
from tenant_experience.use_case.schema import UseCase


def label_partition(table: FeatureTable, partition: Partition, use_case: UseCase) -> GroupRows:
    """Puts a partition's labelled tenants into train, validation and test, in the same shares for each class or band.

    Args:
        table: the partition's tenants, with labels.
        partition: the partition.
        use_case: its classes and its minimum number of tenants.

    Raises:
        AlgorithmError: ``too_few_tenants``: fewer than the gate ``pooled_tenants`` for all portfolios together, or than
            ``models.minimum_tenants`` for one; ``one_class``: a part lacks a class.
    """
    table = with_label(table)
    labels = table.label
    if labels is None:
        raise ValueError("labels of this use case do not come from a column")
    learnable = table.take(table.may_train)
    least = use_case.gates.pooled_tenants if partition.scale == "global" else use_case.models.minimum_tenants
    if learnable.records < least:
        history = "" if use_case.events is None else " and, where features come from events, enough history"
        raise AlgorithmError(
            f"partition {partition.partition}: {learnable.records} {use_case.words.records} have a label in column "
            f"{use_case.labels.column!r}{history}, but a model needs at least {least}",
            code="too_few_tenants",
        )
    split = split_tenants(table, use_case)
    classes = tuple(use_case.labels.classes) if use_case.labels.classes else None
    rows = GroupRows(table.tenant_id, split, np.full(len(table), np.nan), labels, classes, table.examples)
    # What later stages would refuse is refused here, before a training is paid for, and by preview.
    _check_events(rows, partition, use_case)
    for part in (TRAIN, VALIDATION):
        rows.learnable(part, partition.partition)
    rows.learnable(TEST, partition.partition, None if use_case.unusual_split else 2)
    return rows


def _check_events(rows: GroupRows, partition: Partition, use_case: UseCase) -> None:
    """Refuses days until an event that nobody, or everybody at once, sees within the window: figures count up to it."""
    window = use_case.labels.horizon_days
    if window is None:
        return
    for part in (TRAIN, VALIDATION, TEST):
        days = np.minimum(rows.label[rows.split == part], window)
        if len(np.unique(days)) < 2:
            seen = int(np.count_nonzero(days < window))
            raise AlgorithmError(
                f"partition {partition.partition}: of the {len(days)} rows of the {part} part, {seen} see such an "
                f"event within labels.window of {window} days, so there is nothing to learn or to measure: correct "
                "labels.where, make the window longer, or send a longer log",
                code="one_class",
            )
