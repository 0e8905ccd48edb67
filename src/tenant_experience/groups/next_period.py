"""``next_period.json``: from what is known of a tenant now to the probabilities of its label over the next period.

The next period has the same length as the one that was observed, and its label comes from the same rule.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from tenant_experience.data_layout import NEXT_PERIOD_FILE
from tenant_experience.errors import PlatformError
from tenant_experience.statistics.arrays import Floats

ProbabilityBasis = Literal["backtest", "one_snapshot"]


class NextPeriod(BaseModel):
    """How often tenants have the same label again.

    Attributes:
        format: the version of this document.
        basis: ``backtest`` when it was measured on past periods of the same event log, else ``one_snapshot``.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    basis: ProbabilityBasis = "one_snapshot"

    def shares(self, redrawn: Floats, now: Floats, complete: NDArray[np.bool_]) -> Floats:
        """P(each group over the next period) of each tenant.

        Args:
            redrawn: (rows, groups) how often each tenant's redraws fall into each group (``uncertainty``); NaN where
                not ``complete``.
            now: (rows, groups) the classifier's P(own group), which decides where a marker is missing.
            complete: (rows,) whether all markers are known.

        Returns:
            Shape (rows, groups), each row sums to 1.
        """
        return np.where(complete[:, np.newaxis], redrawn, now)

    def write(self, folder: Path) -> None:
        """Writes ``next_period.json`` into ``folder``, made when missing: same content, same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False)
        (folder / NEXT_PERIOD_FILE).write_text(text + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads ``next_period.json``; without the file, shares are answered as they are.

        Raises:
            PlatformError: ``next_period_file``, when the file cannot be read.
        """
        path = folder / NEXT_PERIOD_FILE
        if not path.is_file():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise PlatformError(f"{path}: {error}", code="next_period_file") from error
