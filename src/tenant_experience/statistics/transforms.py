"""What is done to a feature's values before they are compared."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tenant_experience.statistics.arrays import Floats

Transform = Literal["log1p", "none"]


def transformed(values: Floats, transform: Transform) -> Floats:
    """log1p of counts and hours, which have long tails; rates stay as they are. Values are not negative."""
    return np.log1p(values) if transform == "log1p" else values
