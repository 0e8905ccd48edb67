"""``costs:`` of ``use_case.yaml``: from which probability on an alarm is worth raising."""

from __future__ import annotations

from pydantic import Field

from tenant_experience.settings_file import Settings


class Costs(Settings):
    """What a false alarm and a miss cost, relative to each other; only for two classes."""

    false_alarm: float = Field(default=1, gt=0, allow_inf_nan=False)
    miss: float = Field(default=1, gt=0, allow_inf_nan=False)

    @property
    def threshold(self) -> float:
        """From this calibrated probability on, predicting the positive class costs less than not predicting it."""
        return self.false_alarm / (self.false_alarm + self.miss)
