"""The rows of a request, whatever its format, and what the readers of both formats share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from container.serving_errors import BadRequestError
from tenant_experience.models.served_model import Values
from tenant_experience.statistics.arrays import Floats


@dataclass(frozen=True)
class Batch:
    """The tenants to answer for, one per row.

    Attributes:
        values: (rows, columns) as the model's encoding arranges them, NaN = missing.
        tenant_ids: one per row, None where the request names none (CSV never does).
        exposure_days: (rows,) NaN where the request does not say; None when it does not say for any row.
        unknown_categories: row -> names of the categories whose value the model never saw.
        explain: whether contributions are wanted.
    """

    values: Values
    tenant_ids: Sequence[str | None]
    exposure_days: Floats | None = None
    unknown_categories: dict[int, list[str]] = field(default_factory=dict)
    explain: bool = False

    def take(self, rows: NDArray[np.intp]) -> Batch:
        """Some of the rows, ascending."""
        names, unknown = self.unknown_categories, {}
        if names:
            unknown = {place: names[row] for place, row in enumerate(rows.tolist()) if row in names}
        return Batch(
            self.values[rows],
            [self.tenant_ids[row] for row in rows.tolist()],
            None if self.exposure_days is None else self.exposure_days[rows],
            unknown,
            self.explain,
        )


def float32(value: float) -> float:
    """The value, or infinity when a 32-bit float cannot hold it; infinities are refused later, for all rows at once.

    A whole number may have more digits than any float, and is then infinite too. NaN stays NaN.
    """
    return float(value) if -3.4e38 < value < 3.4e38 or value != value else math.inf


def text_of(body: bytes) -> str:
    """The body as text, without a byte order mark.

    Raises:
        BadRequestError: it is not UTF-8.
    """
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the body is not UTF-8: {error.reason} at byte {error.start}") from error


def refuse_infinite(values: Values, names: Sequence[str], unit: str, first: int) -> None:
    """Refuses a matrix with an infinite value.

    Raises:
        BadRequestError: naming the row, counted from ``first`` in ``unit``, and the column.
    """
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        row, column = infinite[0]
        raise BadRequestError(f"{unit} {row + first}: {names[column]} is infinite or too large for a 32-bit number")
