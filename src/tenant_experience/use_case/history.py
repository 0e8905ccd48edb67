"""``history:`` of ``use_case.yaml``: which events count, and how long a record must have been known."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tenant_experience.settings_file import Settings


class History(Settings):
    """In days: the window in which events are counted, and the exposure that a tenant needs."""

    window_days: int = Field(default=365, ge=1, le=3_650)
    minimum_days: int = Field(default=90, ge=0)
    provisional_below: int = Field(default=180, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.minimum_days <= self.provisional_below <= self.window_days:
            raise ValueError("minimum_days <= provisional_below <= window_days must hold")
        return self
