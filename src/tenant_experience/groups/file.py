"""``groups.parquet``: the label, the part of the split and the severity of each tenant.

There is one row for each tenant and partition: a tenant may be in a local partition and in the global one. Where a
record may have several rows to learn from, there is one for each of them, and ``example_id`` tells them apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tenant_experience.data_layout import EXAMPLE_ID
from tenant_experience.errors import AlgorithmError, PlatformError
from tenant_experience.features.table import FeatureTable
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.labels import Labels

SCHEMA = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("partition_slug", pa.string()),
        ("split", pa.string()),
        ("score", pa.float64()),
        ("group", pa.string()),
        ("label", pa.float64()),
    ]
)
_OF_EXAMPLES = SCHEMA.append(pa.field(EXAMPLE_ID, pa.string()))


@dataclass(frozen=True)
class GroupRows:
    """Rows of one partition, in the order of the features table; every array has one entry per tenant.

    Attributes:
        tenant_id: the tenants.
        split: train, validation or test; empty (null in the file) for tenants that only got a label.
        score: severity s, higher is worse; NaN (null in the file) when labels come from a column.
        label: the number of the class (in the file also its name, as ``group``), or the number itself.
        classes: names of the classes, None when labels are numbers.
        examples: the distinct ids of the rows, where a tenant may have several; None where each has one.
    """

    tenant_id: NDArray[np.str_]
    split: NDArray[np.str_]
    score: Floats
    label: Floats
    classes: tuple[str, ...] | None
    examples: NDArray[np.str_] | None = None

    @property
    def example_id(self) -> NDArray[np.str_]:
        """A distinct id for each row."""
        return self.tenant_id if self.examples is None else self.examples

    @property
    def records(self) -> int:
        """How many tenants the rows are about."""
        return len(self.tenant_id) if self.examples is None else len(np.unique(self.tenant_id))

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Whether each tenant is of the last class: the one that is predicted."""
        return np.asarray(self.label == len(self.classes or ()) - 1)

    def learnable(self, part: str, partition: str, least: int | None = None) -> Floats:
        """Labels of one part of the split.

        Args:
            part: train, validation or test.
            partition: its name, for the message.
            least: how many different labels there must be; all classes by default, and two different numbers.

        Raises:
            AlgorithmError: ``one_class``: a class is missing there, or all numbers are the same.
        """
        labels: Floats = self.label[self.split == part]
        if len(np.unique(labels)) < (least or max(2, len(self.classes or ()))):
            counted = Counter(labels.tolist())
            found = ", ".join(f"{counted[number]} {name}" for number, name in enumerate(self.classes or ()))
            raise AlgorithmError(
                f"partition {partition}: the {len(labels)} rows of the {part} part have "
                f"{found or f'{len(counted)} different labels'}, so there is nothing to learn",
                code="one_class",
            )
        return labels

    def take(self, rows: NDArray[np.bool_]) -> GroupRows:
        """Those of some tenants."""
        chosen = self.tenant_id[rows], self.split[rows], self.score[rows], self.label[rows]
        return GroupRows(*chosen, self.classes, None if self.examples is None else self.examples[rows])

    def align(self, table: FeatureTable) -> FeatureTable:
        """The features of exactly these tenants, in this order.

        Raises:
            PlatformError: ``groups_file`` when a tenant has no features: the files are from two releases.
        """
        wanted, given = self.example_id, table.example_id
        order = np.argsort(given, kind="stable")
        # Looked up in their order: a million ids in any order would take five times as long.
        own, places = np.argsort(wanted, kind="stable"), np.empty(len(wanted), dtype=np.intp)
        places[own] = np.searchsorted(given[order], wanted[own])
        places = order[np.minimum(places, len(table) - 1)] if len(table) else order
        if not len(table) or np.any(given[places] != wanted):
            raise PlatformError("groups.parquet and the features are from different releases", code="groups_file")
        return table.take(places)


def to_arrow(rows: GroupRows, slug: str) -> pa.Table:
    """The rows as the file has them."""
    names = None if rows.classes is None else np.asarray(rows.classes)[rows.label.astype(int)].tolist()
    of_examples = {} if rows.examples is None else {EXAMPLE_ID: pa.array(rows.examples.tolist(), pa.string())}
    return pa.table(
        {
            "tenant_id": pa.array(rows.tenant_id.tolist(), pa.string()),
            "partition_slug": pa.array([slug] * len(rows.tenant_id), pa.string()),
            "split": pa.array([part or None for part in rows.split.tolist()], pa.string()),
            "score": pa.array(rows.score, pa.float64(), from_pandas=True),
            "group": pa.nulls(len(rows.tenant_id), pa.string()) if names is None else pa.array(names, pa.string()),
            "label": pa.array(rows.label, pa.float64()),
            **of_examples,
        },
        schema=_OF_EXAMPLES if of_examples else SCHEMA,
    )


def write_groups(tables: Sequence[pa.Table], path: Path) -> None:
    """Writes the rows of all partitions, each apart, so that one is read without the others."""
    with pq.ParquetWriter(path, tables[0].schema if tables else SCHEMA) as writer:
        for table in tables:
            writer.write_table(table)


def read_groups(path: Path, slug: str, labels: Labels) -> GroupRows:
    """Reads one partition's rows, in the order in which they were written."""
    has_examples = EXAMPLE_ID in pq.read_schema(path).names
    schema = _OF_EXAMPLES if has_examples else SCHEMA
    table = pq.read_table(path, schema=schema, filters=[("partition_slug", "=", slug)])
    return GroupRows(
        tenant_id=np.asarray(table["tenant_id"].to_pylist(), dtype=np.str_),
        split=np.asarray([part or "" for part in table["split"].to_pylist()], dtype=np.str_),
        score=table["score"].to_numpy(),
        label=table["label"].to_numpy(),
        classes=tuple(labels.classes) if labels.classes else None,
        examples=np.asarray(table[EXAMPLE_ID].to_pylist(), dtype=np.str_) if has_examples else None,
    )
