"""``targets:`` of ``use_case.yaml``: what a tenant may expect."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tenant_experience.settings_file import Settings

# The features that ``targets`` apply to.
FIRST_RESPONSE, RESOLUTION = TIMED_FEATURES = ("mean_first_response_hr", "mean_full_resolution_hr")


class Targets(Settings):
    """What a tenant may expect, in hours: the time to the first response and the time to resolution."""

    first_response_hr: float = Field(gt=0)
    resolution_hr: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first_response_hr > self.resolution_hr:
            raise ValueError("first_response_hr <= resolution_hr must hold")
        return self
