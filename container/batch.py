"""What a request asks for, whatever it was written in; and what readers of both kinds share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from container.serving_errors import BadRequestError
from tenant_experience.models.served_model import Values
from tenant_experience.statistics.arrays import Floats


@dataclass(frozen=True)
class Batch:
    """Tenants to answer for, one a row.

    Attributes:
        values: (rows, columns) as the model's encoding arranges them, NaN = missing.
        tenant_ids: one a row, None where the request names none (always so for CSV).
        exposure_days: (rows,) NaN where the request does not say; None when it says so for no row.
        unknown_categories: row -> names of the categories whose value the model has never seen.
        explain: whether contributions are wanted.
    """

    values: Values
    tenant_ids: Sequence[str | None]
    exposure_days: Floats | None = None
    unknown_categories: dict[int, list[str]] = field(default_factory=dict)
    explain: bool = False


def float32(value: float) -> float:
    """The value, or infinity when no 32-bit float holds it, which is refused afterwards for all rows at once."""
    return value if -3.4e38 < value < 3.4e38 else math.inf


def refuse_infinite(values: Values, names: Sequence[str], unit: str, first: int) -> None:
    """Refuses a matrix with an infinite value.

    Raises:
        BadRequestError: naming the row, counted from ``first`` in ``unit``, and the column.
    """
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        row, column = infinite[0]
        raise BadRequestError(f"{unit} {row + first}: {names[column]} is infinite or too large for a 32-bit number")
