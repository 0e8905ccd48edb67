"""``outcomes.parquet`` in memory: what became of tenants, beside the features of a release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tenant_experience.data_layout import OUTCOMES_FILE
from tenant_experience.statistics.arrays import Floats


@dataclass(frozen=True)
class TenantOutcomes:
    """Outcomes, one entry for each.

    Attributes:
        tenant_id: whose.
        happened_at: UTC, microseconds.
        kind: a kind that the use case declares.
        value: of a score; NaN of something that happens.
    """

    tenant_id: NDArray[np.str_]
    happened_at: NDArray[np.datetime64]
    kind: NDArray[np.str_]
    value: Floats

    def __len__(self) -> int:
        return len(self.tenant_id)

    def of(self, kind: str, begin: np.datetime64, end: np.datetime64) -> TenantOutcomes:
        """Those of one kind from ``begin`` on and before ``end``."""
        chosen = (self.kind == kind) & (self.happened_at >= begin) & (self.happened_at < end)
        return TenantOutcomes(self.tenant_id[chosen], self.happened_at[chosen], self.kind[chosen], self.value[chosen])


def read_tenant_outcomes(folder: Path, record_id: str) -> TenantOutcomes | None:
    """Reads the outcomes beside the features in ``folder``; None when the batch had no file of them."""
    path = folder / OUTCOMES_FILE
    if not path.is_file():
        return None
    table = pq.read_table(path)
    return TenantOutcomes(
        np.asarray(table[record_id].to_pylist(), dtype=np.str_),
        table["happened_at"].to_numpy().astype("datetime64[us]"),
        np.asarray(table["kind"].to_pylist(), dtype=np.str_),
        table["value"].to_numpy().astype(np.float64, copy=False),
    )
