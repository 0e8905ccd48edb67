"""A pooled model beside the same model without levels, and beside models of single partitions, on the same tenants."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tenant_experience.data_layout import MODEL_MANIFEST, OWN_MODELS, partition_slug
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.features.table import FeatureTable
from tenant_experience.models.encoding import Matrix
from tenant_experience.models.partition_levels import PartitionLevels
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import mean_interval, t_interval
from tenant_experience.statistics.partial_pooling import Pooling

# Probability that any of the comparisons of one kind calls a difference that is not there.
ERROR = 0.05
# A partition with fewer tenants in the test part is not warned of: their losses are too alike to tell their spread.
LEAST_TENANTS = 30
_LEAST = 1e-15
_WORDS = {
    "global": "no level, because levels did not lower the loss of rows that were held out",
    "level": "a level for each partition",
    "level_and_slope": "a level and a slope for each partition",
}


@dataclass(frozen=True)
class MeanLoss:
    """A mean over tenants, with its 95% interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PartitionLosses:
    """What answers cost a partition's tenants of the test part: log loss, or the squared error of numbers.

    Attributes:
        partition: its name; ``all`` for all tenants of the test part.
        tenants: how many of the test part.
        level: of the partition; None where none was fitted.
        slope: likewise.
        pooled: of what is published.
        global_model: of the same model without levels.
        own: of a model of the partition alone; None where none was trained.
        pooled_above_global: the difference on the same tenants: below 0 where pooled is better.
        own_above_pooled: likewise; below 0 where a model of its own is better.
    """

    partition: str
    tenants: int
    level: float | None
    slope: float | None
    pooled: MeanLoss
    global_model: MeanLoss
    own: MeanLoss | None
    pooled_above_global: MeanLoss
    own_above_pooled: MeanLoss | None


@dataclass(frozen=True)
class PoolingComparison:
    """What was taken, and whether the test part agrees.

    Attributes:
        loss: ``log loss`` or ``squared error``.
        chosen: what cross-validation chose in training.
        cross_validated: the loss of each choice on tenants that were held out there.
        between: standard deviation of the levels between partitions.
        whole: all tenants of the test part.
        with_own: those whose partition has a model of its own to compare with; None when there are none.
        partitions: the largest first.
        worse_than_global: partitions where the answers are surely worse than without levels.
        worse_than_own: partitions where a model of their own is surely better.
    """

    loss: str
    chosen: Pooling
    cross_validated: dict[Pooling, float]
    between: float
    whole: PartitionLosses
    with_own: PartitionLosses | None
    partitions: list[PartitionLosses]
    worse_than_global: list[str]
    worse_than_own: list[str]

    @property
    def taken(self) -> str:
        """``pooled``, or ``global`` where cross-validation took no levels."""
        return "global" if self.chosen == "global" else "pooled"

    @property
    def is_best(self) -> bool:
        """Whether nothing else is better beyond noise, on all tenants and in any partition."""
        surely_worse = self.whole.pooled_above_global.low > 0
        own = self.with_own.own_above_pooled if self.with_own else None
        return not (surely_worse or (own and own.high < 0) or self.worse_than_global or self.worse_than_own)

    @property
    def sentence(self) -> str:
        """What was taken, and how it compares."""
        whole, difference = self.whole, self.whole.pooled_above_global
        found = (
            f"Taken: {self.taken} ({_WORDS[self.chosen]}). On the {whole.tenants} rows of the test part the "
            f"{self.loss} is {whole.pooled.mean:.4f}, and {whole.global_model.mean:.4f} without levels (difference "
            f"{difference.mean:+.4f}, {difference.low:+.4f} to {difference.high:+.4f})."
        )
        if self.with_own and self.with_own.own and self.with_own.own_above_pooled:
            own, beside = self.with_own, self.with_own.own_above_pooled
            found += (
                f" On the {own.tenants} whose partition has a model of its own to compare with, it is "
                f"{own.pooled.mean:.4f}, and {self.with_own.own.mean:.4f} by these (difference {beside.mean:+.4f}, "
                f"{beside.low:+.4f} to {beside.high:+.4f})."
            )
        return found + (" This is the best within the noise." if self.is_best else "")

    @property
    def warnings(self) -> list[str]:
        """What the test part has against it, in sentences."""
        found = []
        if self.whole.pooled_above_global.low > 0:
            found.append("On all rows of the test part, the model is better without its levels.")
        if self.worse_than_global:
            found.append(f"The levels make the answers for these partitions worse: {_some(self.worse_than_global)}.")
        if self.worse_than_own:
            found.append(
                f"For these partitions a model of their own is better than the pooled one: "
                f"{_some(self.worse_than_own)}. Consider models.scope: per_partition."
            )
        return found

    def document(self) -> dict[str, Any]:
        """As evaluation.json has it."""
        derived = {"taken": self.taken, "is_best": self.is_best, "sentence": self.sentence}
        return derived | asdict(self)


def compare_pooling(
    model: ServedModel, rows: ScoredRows, test: FeatureTable, matrix: Matrix, folder: Path
) -> PoolingComparison:
    """Compares a pooled model on the test part.

    Args:
        model: the pooled model.
        rows: what is published about the test part, beside the labels.
        test: these tenants.
        matrix: the same as the model reads them.
        folder: of the model; ``own/<slug>`` holds the models to compare with.
    """
    levels = model.scorer.manifest.levels
    if levels is None:
        raise ValueError("the model has no levels")
    without = matrix.copy()
    without[:, -1] = np.nan
    pooled, plain = _losses(rows, rows.outputs), _losses(rows, model.publish(without).outputs)
    own = np.full(len(rows), np.nan)
    partitions = _rows_of(test)
    for name, places in partitions:
        if (outputs := _own_outputs(folder, name, test.take(places))) is not None:
            own[places] = _losses(rows.take(places), outputs)
    measured = [_measured(name, places, (pooled, plain, own), levels, model) for name, places in partitions]
    compared = np.flatnonzero(~np.isnan(own))
    every = np.arange(len(rows))
    large = [(name, places) for name, places in partitions if len(places) >= LEAST_TENANTS]
    alone = [(name, places) for name, places in large if not np.isnan(own[places]).any()]
    return PoolingComparison(
        loss="squared error" if rows.task == "regression" else "log loss",
        chosen=levels.taken,
        cross_validated=dict(levels.cross_validated),
        between=levels.between,
        whole=_measured("all", every, (pooled, plain, np.full(len(rows), np.nan)), None, model),
        with_own=_measured("all", compared, (pooled, plain, own), None, model) if len(compared) else None,
        partitions=measured,
        worse_than_global=_surely(plain, pooled, large),
        worse_than_own=_surely(own, pooled, alone),
    )


def _rows_of(test: FeatureTable) -> list[tuple[str, NDArray[np.intp]]]:
    """Partition -> its rows; the one with the most first."""
    names, place, counts = np.unique(test.portfolio_id, return_inverse=True, return_counts=True)
    of_each = np.split(np.argsort(place, kind="stable"), np.cumsum(counts)[:-1])
    return [(str(names[number]), of_each[number]) for number in np.argsort(-counts, kind="stable")]


def _own_outputs(folder: Path, partition: str, tenants: FeatureTable) -> Floats | None:
    """What a model of the partition alone answers; None where none was trained."""
    own = folder / OWN_MODELS / partition_slug(partition)
    if not (own / MODEL_MANIFEST).is_file():
        return None
    model = ServedModel.load(own)
    return model.publish(model.scorer.encoding.matrix(tenants)).outputs


def _losses(rows: ScoredRows, outputs: Floats) -> Floats:
    if rows.task == "regression":
        return np.asarray((outputs - rows.labels) ** 2)
    return np.asarray(-np.log(np.maximum(np.where(rows.labels == 1, outputs, 1 - outputs), _LEAST)))


def _measured(
    name: str,
    places: NDArray[np.intp],
    losses: tuple[Floats, Floats, Floats],
    levels: PartitionLevels | None,
    model: ServedModel,
) -> PartitionLosses:
    pooled, plain, own = (each[places] for each in losses)
    number = -1.0
    if levels is not None:
        number = float(model.scorer.encoding.values(levels.feature, name)[0])
    known = levels is not None and number >= 0
    has_own = not np.isnan(own).any()
    return PartitionLosses(
        partition=name,
        tenants=len(places),
        level=levels.level[int(number)] if levels and known else None,
        slope=levels.slope[int(number)] if levels and known else None,
        pooled=_mean(pooled),
        global_model=_mean(plain),
        own=_mean(own) if has_own else None,
        pooled_above_global=_difference(pooled - plain),
        own_above_pooled=_difference(own - pooled) if has_own else None,
    )


def _mean(values: Floats) -> MeanLoss:
    return MeanLoss(float(values.mean()), *mean_interval(values))


def _difference(values: Floats) -> MeanLoss:
    return MeanLoss(float(values.mean()), *t_interval(values))


def _surely(better: Floats, than: Floats, partitions: list[tuple[str, NDArray[np.intp]]]) -> list[str]:
    """Partitions where one loss is lower than the other; with as many comparisons as partitions (Bonferroni)."""
    found = []
    for name, places in partitions:
        difference = better[places] - than[places]
        largest = special.stdtrit(len(places) - 1, ERROR / (2 * len(partitions)))
        if difference.mean() < largest * difference.std(ddof=1) / np.sqrt(len(places)):
            found.append(name)
    return found


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
