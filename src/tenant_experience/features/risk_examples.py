"""``risk.parquet`` in memory: records at moments of the past, and whether the event happened to them soon after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tenant_experience.data_layout import RISK_FILE
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.risk import Risk
from tenant_experience.use_case.schema import UseCase

# Its column that says whether the event happened; no feature can have this name.
HAPPENED = "_happened"


@dataclass(frozen=True)
class RiskExamples:
    """The records of one moment.

    Attributes:
        moment: the day, ISO 8601.
        values: (records, features) in the order of ``risk_columns``; NaN where unknown.
        happened: (records,) whether the event happened in the days after it.
    """

    moment: str
    values: Floats
    happened: NDArray[np.bool_]


def risk_columns(risk: Risk, use_case: UseCase) -> list[str]:
    """The features that are compared: those of the count, and those that the regression sees."""
    numbers = [name for name in use_case.features if name not in use_case.categories]
    return list(dict.fromkeys([*risk.count, *(risk.features or numbers)]))


def read_risk_examples(folder: Path, risk: Risk, use_case: UseCase) -> list[RiskExamples]:
    """The examples of a release, the oldest moment first; none where there is no file.

    Rows are in an order that only their values decide, so that no result depends on how ids are spelled.

    Args:
        folder: of the release's features.
        risk: of the use case.
        use_case: names the columns.
    """
    path = folder / RISK_FILE
    if not path.is_file():
        return []
    names = risk_columns(risk, use_case)
    table = pq.read_table(path, columns=["as_of", HAPPENED, *names])
    values = np.column_stack([table[name].to_numpy().astype(np.float64) for name in names])
    moments, happened = table["as_of"].to_numpy().astype("datetime64[D]"), table[HAPPENED].to_numpy().astype(np.bool_)
    order = np.lexsort((happened, *values.T))
    values, moments, happened = values[order], moments[order], happened[order]
    return [
        RiskExamples(str(moment), values[moments == moment], happened[moments == moment])
        for moment in np.unique(moments)
    ]
