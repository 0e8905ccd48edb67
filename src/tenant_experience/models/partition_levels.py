"""What one model of all tenants adds for the partition that a tenant is in (decision 27).

Each partition has a level, which is added to the model's calibrated log-odds, or to its number, and a slope: 1 + slope
multiplies them. Both are shrunk towards 0, so a partition that was never seen, or is not known, has level 0 and slope
0: it is answered as by the model without levels.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.partial_pooling import Pooling


class PartitionLevels(BaseModel):
    """Levels and slopes, in the order of the partitions: those of the category ``feature`` in ``model.json``.

    Attributes:
        feature: the column of the use case that holds the partition.
        level: what is added, one per partition.
        slope: one per partition; 0 for all unless ``taken`` is ``level_and_slope``.
        taken: what cross-validation chose.
        between: estimated standard deviation of the levels between partitions, and ``between_slopes`` of the slopes.
        cross_validated: log loss, or mean squared error, of each choice on rows that it was not fitted on.
        tenants: how many the levels were fitted on.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    feature: str
    level: tuple[float, ...]
    slope: tuple[float, ...]
    taken: Pooling
    between: float = Field(ge=0)
    between_slopes: float = Field(ge=0)
    cross_validated: dict[Pooling, float]
    tenants: int

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if len(self.level) != len(self.slope):
            raise ValueError(f"{len(self.level)} levels and {len(self.slope)} slopes are not of the same partitions")
        return self

    def known(self, numbers: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(rows,) whether the number of each tenant's partition is that of a level; not so for -1 and NaN."""
        return np.asarray((numbers >= 0) & (numbers < len(self.level)))

    def effects(self, numbers: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """What is added and what multiplies, (rows,) each, from the number of each tenant's partition."""
        known = self.known(numbers)
        places = np.where(known, numbers, len(self.level)).astype(np.intp)
        return np.asarray([*self.level, 0.0])[places], 1 + np.asarray([*self.slope, 0.0])[places]
