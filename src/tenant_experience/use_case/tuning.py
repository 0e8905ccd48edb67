"""``tuning`` in ``use_case.yaml``: which hyperparameters are searched, within what, and by how many trainings."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.manifest import RESERVED_HYPERPARAMETERS


class Range(Settings):
    """What one hyperparameter may be, both ends included; ``log``: a tenth as likely as ten times as much."""

    minimum: float = Field(allow_inf_nan=False)
    maximum: float = Field(allow_inf_nan=False)
    kind: Literal["integer", "number"] = "number"
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.minimum >= self.maximum:
            raise ValueError("minimum must be below maximum")
        if self.scale == "log" and self.minimum <= 0:
            raise ValueError("scale: log needs a minimum above 0")
        if self.kind == "integer" and not (self.minimum.is_integer() and self.maximum.is_integer()):
            raise ValueError("kind: integer needs whole numbers")
        return self

    @property
    def ends(self) -> tuple[str, str]:
        """Both, as SageMaker and training jobs read them."""
        ends = (int(end) if self.kind == "integer" else end for end in (self.minimum, self.maximum))
        low, high = (repr(end) for end in ends)
        return low, high


class Tuning(Settings):
    """A search for the hyperparameters with the least ``validation_loss``.

    Attributes:
        enabled: whether every release searches; a ``manifest.json`` may say otherwise for one.
        jobs: trainings in all, for each model.
        parallel_jobs: of these, at the same time.
        ranges: hyperparameter -> what it may be; the others are as they are without a search.
    """

    enabled: bool = False
    jobs: int = Field(default=20, ge=1, le=750)
    parallel_jobs: int = Field(default=2, ge=1, le=100)
    ranges: dict[str, Range] = Field(default_factory=dict, max_length=30)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.enabled and not self.ranges:
            raise ValueError("tuning.enabled needs tuning.ranges")
        if self.parallel_jobs > self.jobs:
            raise ValueError("tuning.parallel_jobs is more than tuning.jobs")
        reserved = sorted(RESERVED_HYPERPARAMETERS & self.ranges.keys())
        if reserved:
            raise ValueError(f"tuning.ranges {reserved} are set by the state machine")
        return self

    def parameter_ranges(self) -> dict[str, list[dict[str, str]]]:
        """``ParameterRanges`` of SageMaker's CreateHyperParameterTuningJob."""
        return {
            "IntegerParameterRanges": [_request(n, r) for n, r in self.ranges.items() if r.kind == "integer"],
            "ContinuousParameterRanges": [_request(n, r) for n, r in self.ranges.items() if r.kind == "number"],
        }

    def job(self) -> dict[str, Any]:
        """What ``partitions.json`` tells the state machine."""
        return {"jobs": self.jobs, "parallel_jobs": self.parallel_jobs, "parameter_ranges": self.parameter_ranges()}


def _request(name: str, allowed: Range) -> dict[str, str]:
    low, high = allowed.ends
    scaling = {"linear": "Linear", "log": "Logarithmic"}[allowed.scale]
    return {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": scaling}
