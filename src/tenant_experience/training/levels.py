"""Levels of partitions on top of one model of all tenants (decision 27).

A level is fitted to predictions of models that did not see the tenant: those of the validation part come from the model
itself, and those of the training part from models that were trained without a third of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tenant_experience.errors import AlgorithmError
from tenant_experience.features.table import FeatureTable
from tenant_experience.models.artifact import MANIFEST_LIMIT, ModelManifest
from tenant_experience.models.partition_levels import PartitionLevels
from tenant_experience.models.scoring import Scorer
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.partial_pooling import Rows, choose_effects
from tenant_experience.statistics.splitting import TRAIN, VALIDATION
from tenant_experience.training.fit import FitTask, FittedModel

FOLDS = 3
# Bytes that model.json needs for digests, at most.
_DIGESTS = 4_096


def with_levels(
    task: FitTask,
    model: FittedModel,
    partition_column: str,
    table: FeatureTable,
    split: NDArray[np.str_],
    fit: Callable[[FitTask], FittedModel],
) -> FittedModel:
    """The model with a level for each partition that has tenants to fit one on.

    Args:
        task: what the model was made from.
        model: without levels.
        partition_column: names the partition in a record.
        table: the tenants that ``split`` is of.
        split: the part of each.
        fit: fits the models that score the training part.

    Raises:
        AlgorithmError: ``too_many_partitions``: their levels do not fit into model.json.
    """
    common = [Scorer.of(model.content, model.manifest).common(task.validation.matrix)]
    names, truth = [table.portfolio_id[split == VALIDATION]], [task.validation.labels]
    if _can_be_cross_fitted(task):
        common.append(_cross_fitted(task, fit))
        names.append(table.portfolio_id[split == TRAIN])
        truth.append(task.train.labels)
    named = np.concatenate(names) != ""
    partitions, place = np.unique(np.concatenate(names)[named], return_inverse=True)
    if not len(partitions):
        return model
    rows = Rows(
        family="number" if task.manifest.task == "regression" else "binary",
        common=np.concatenate(common)[named],
        truth=np.concatenate(truth)[named].astype(np.float64),
        place=place.astype(np.intp),
        partitions=len(partitions),
    )
    choice = choose_effects(rows)
    levels = PartitionLevels(
        feature=partition_column,
        level=tuple(choice.effects.level.tolist()),
        slope=tuple(choice.effects.slope.tolist()),
        taken=choice.taken,
        between=choice.effects.between,
        between_slopes=choice.effects.between_slopes,
        cross_validated=choice.losses,
        tenants=len(rows.place),
    )
    manifest = model.manifest.model_copy(
        update={
            "features": (*model.manifest.features, partition_column),
            "categories": {**model.manifest.categories, partition_column: tuple(partitions.tolist())},
            "levels": levels,
        }
    )
    _check_size(manifest)
    return replace(model, manifest=manifest)


def _can_be_cross_fitted(task: FitTask) -> bool:
    """Whether every class is left when a fold is left out."""
    labels = task.train.labels
    if task.manifest.task == "regression":
        return len(labels) > FOLDS
    return bool(np.bincount(labels.astype(int), minlength=len(task.manifest.labels)).min() > 1)


def _cross_fitted(task: FitTask, fit: Callable[[FitTask], FittedModel]) -> Floats:
    """(training rows,) predictions by models that were fitted without the row's fold."""
    data, fold = task.train, _folds(task)
    found = np.empty(len(data.labels))
    for number in range(FOLDS):
        held = fold == number
        kept = data.take(~held)
        fitted = fit(replace(task, train=kept))
        found[held] = Scorer.of(fitted.content, fitted.manifest).common(data.matrix[held])
    return found


def _folds(task: FitTask) -> NDArray[np.intp]:
    """(training rows,) the fold of each; every class is spread over all folds."""
    labels = task.train.labels
    places = np.arange(len(labels))
    if task.manifest.task == "regression":
        return places % FOLDS
    fold = np.empty(len(labels), dtype=np.intp)
    for label in np.unique(labels):
        of_label = labels == label
        fold[of_label] = np.arange(int(of_label.sum())) % FOLDS
    return fold


def _check_size(manifest: ModelManifest) -> None:
    size = len(json.dumps(manifest.model_dump(mode="json"), indent=2)) + _DIGESTS
    if size > MANIFEST_LIMIT:
        partitions = len(manifest.categories[manifest.features[-1]])
        raise AlgorithmError(
            f"the levels of {partitions} partitions take {size} bytes, and model.json may have {MANIFEST_LIMIT}: "
            "choose a coarser partition_column, or models.scope: global",
            code="too_many_partitions",
        )
