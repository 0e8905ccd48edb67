"""``features.parquet`` in memory: columns as numpy arrays, one row per tenant, always in order of tenant_id.

The order is fixed here, once, so that nothing downstream can depend on the order of the file's rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tenant_experience.data_layout import GLOBAL_PARTITION
from tenant_experience.errors import PlatformError

INSUFFICIENT = "insufficient"


@dataclass(frozen=True)
class FeatureTable:
    """Tenants and their features; every array has one entry a tenant.

    Attributes:
        tenant_id: distinct, ascending.
        portfolio_id: the tenant's portfolio.
        partition_slug: the partition that answers for the tenant.
        history: sufficient, provisional or insufficient.
        may_train: whether a model may learn from the tenant.
        values: (tenants, features) float64, NaN where a feature has no denominator.
        features: names of the columns of ``values``.
        as_of: the moment the features describe, ISO 8601, UTC.
    """

    tenant_id: NDArray[np.str_]
    portfolio_id: NDArray[np.str_]
    partition_slug: NDArray[np.str_]
    history: NDArray[np.str_]
    may_train: NDArray[np.bool_]
    values: NDArray[np.float64]
    features: tuple[str, ...]
    as_of: str

    def __len__(self) -> int:
        return len(self.tenant_id)

    def column(self, feature: str) -> NDArray[np.float64]:
        """One feature, shape (tenants,)."""
        return self.values[:, self.features.index(feature)]

    def matrix(self, features: Sequence[str]) -> NDArray[np.float64]:
        """Some features in the given order, shape (tenants, len(features))."""
        return self.values[:, [self.features.index(name) for name in features]]

    def take(self, rows: NDArray[Any]) -> FeatureTable:
        """The tenants that a boolean mask or an ascending index picks."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("features", "as_of")}
        return replace(self, **{name: array[rows] for name, array in arrays.items()})

    def of_partition(self, slug: str) -> FeatureTable:
        """The tenants a partition's model is made from: the global one's are all tenants of the release."""
        return self if slug == GLOBAL_PARTITION else self.take(self.partition_slug == slug)


def read_features(path: Path, features: Sequence[str]) -> FeatureTable:
    """Reads ``features.parquet``.

    Args:
        path: the file.
        features: names of the feature columns to read, in the order wanted.

    Raises:
        PlatformError: ``features_file``: a column is missing or a tenant has two rows, which BuildFeatures rules out.
    """
    texts = ["tenant_id", "portfolio_id", "partition_slug", "history"]
    wanted = [*texts, "may_train", "as_of", *features]
    missing = [name for name in wanted if name not in pq.read_schema(path).names]
    if missing:
        raise PlatformError(f"{path} lacks the columns {missing}", code="features_file")
    table = pq.read_table(path, columns=wanted)
    columns = {name: np.asarray(table[name].to_pylist(), dtype=np.str_) for name in texts}
    order = np.argsort(columns["tenant_id"], kind="stable")
    ids = columns["tenant_id"][order]
    if np.any(ids[1:] == ids[:-1]):
        raise PlatformError(f"{path} has a tenant twice", code="features_file")
    matrix = [table[name].to_numpy().astype(np.float64, copy=False) for name in features]
    return FeatureTable(
        **{name: column[order] for name, column in columns.items()},
        may_train=table["may_train"].to_numpy().astype(np.bool_)[order],
        values=np.column_stack(matrix)[order],
        features=tuple(features),
        as_of=_latest(table["as_of"].to_pylist()),
    )


def _latest(moments: list[datetime]) -> str:
    latest = max(moments, default=datetime.fromtimestamp(0, UTC))
    return latest.replace(tzinfo=latest.tzinfo or UTC).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
