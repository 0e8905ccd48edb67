"""Which tenants change group from the live release to this one, and whether their features or the rule moved them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenant_experience.features.table import INSUFFICIENT, FeatureTable
from tenant_experience.models.served_model import ServedModel
from tenant_experience.statistics.arrays import Floats

Rule = Callable[[FeatureTable], NDArray[Any]]


@dataclass(frozen=True)
class GroupTransition:
    """How many tenants go from one group to another, or stay."""

    before: str
    now: str
    tenants: int


@dataclass(frozen=True)
class GroupChangeCounts:
    """Counts without ids. A tenant that the data moved and the rule moved back has not moved.

    Attributes:
        tenants: known to both releases.
        moved: in another group than before.
        by_data: moved by their own features.
        by_model: moved by the new rule.
        table: a row for each pair of groups that occurs.
        new: tenants that only this release knows.
        gone: tenants that only the live release knows.
    """

    tenants: int
    moved: int
    by_data: int
    by_model: int
    table: list[GroupTransition]
    new: int
    gone: int

    def document(self) -> dict[str, Any]:
        """The counts as evaluation.json has them."""
        table = [{"from": row.before, "to": row.now, "tenants": row.tenants} for row in self.table]
        return vars(self) | {"table": table}


@dataclass(frozen=True)
class GroupChanges:
    """The tenants that both releases know. Every array has one entry per tenant; groups are numbers of classes.

    Attributes:
        tenant_id: ids, ascending.
        portfolio_id: of this release.
        before: by the live rule, on the live release's features.
        moved_by_data: by the live rule, on this release's features.
        now: by this release's rule, on its features.
        classes: names.
        new: the number of tenants that only this release knows.
        gone: the number of tenants that only the live release knows.
    """

    tenant_id: NDArray[np.str_]
    portfolio_id: NDArray[np.str_]
    before: Floats
    moved_by_data: Floats
    now: Floats
    classes: tuple[str, ...]
    new: int
    gone: int

    def counts(self) -> GroupChangeCounts:
        """How many tenants moved, and by what."""
        pairs = Counter(zip(self.before.astype(int).tolist(), self.now.astype(int).tolist(), strict=True))
        return GroupChangeCounts(
            tenants=len(self.tenant_id),
            moved=int((self.before != self.now).sum()),
            by_data=int((self.before != self.moved_by_data).sum()),
            by_model=int((self.moved_by_data != self.now).sum()),
            table=[
                GroupTransition(self.classes[old], self.classes[new], count)
                for (old, new), count in sorted(pairs.items())
            ],
            new=self.new,
            gone=self.gone,
        )

    def to_arrow(self, slug: str) -> pa.Table:
        """A row for each tenant that the data or the rule moved: the content of ``group_changes.parquet``."""
        rows = (self.before != self.moved_by_data) | (self.moved_by_data != self.now)
        names = np.asarray(self.classes)
        return pa.table(
            {
                "tenant_id": pa.array(self.tenant_id[rows].tolist(), pa.string()),
                "portfolio_id": pa.array(self.portfolio_id[rows].tolist(), pa.string()),
                "partition_slug": pa.array([slug] * int(rows.sum()), pa.string()),
                "before": pa.array(names[self.before[rows].astype(int)].tolist(), pa.string()),
                "moved_by_data": pa.array(names[self.moved_by_data[rows].astype(int)].tolist(), pa.string()),
                "now": pa.array(names[self.now[rows].astype(int)].tolist(), pa.string()),
            }
        )


def group_changes(
    before: FeatureTable, now: FeatureTable, live: Rule, new: Rule, classes: Sequence[str]
) -> GroupChanges:
    """Applies both rules.

    Args:
        before: the partition's tenants with the features of the live release.
        now: the partition's tenants with the features of this release.
        live: the live release's rule.
        new: this release's rule.
        classes: names, by number; the same in both releases.
    """
    before, now = (table.take(table.history != INSUFFICIENT) for table in (before, now))
    _, then_rows, now_rows = np.intersect1d(before.tenant_id, now.tenant_id, assume_unique=True, return_indices=True)
    then_same, now_same = before.take(then_rows), now.take(now_rows)
    return GroupChanges(
        tenant_id=now_same.tenant_id,
        portfolio_id=now_same.portfolio_id,
        before=live(then_same).astype(np.float64),
        moved_by_data=live(now_same).astype(np.float64),
        now=new(now_same).astype(np.float64),
        classes=tuple(classes),
        new=len(now) - len(now_same),
        gone=len(before) - len(then_same),
    )


def rule_of(folder: Path) -> Rule:
    """What the model of an unpacked archive publishes as the label of each tenant."""
    model = ServedModel.load(folder)
    return lambda table: model.labels(model.scorer.encoding.matrix(table)).astype(np.float64)
