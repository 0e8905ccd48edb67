"""``tuning:`` of ``use_case.yaml``: the hyperparameters to search, their ranges, and the number of trainings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from tenant_experience.settings_file import Settings
from tenant_experience.use_case.manifest import RESERVED_HYPERPARAMETERS


class Range(Settings):
    """The values that one hyperparameter may have, both ends included; ``scale`` is that of the search."""

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
        """Both ends, as SageMaker and training jobs read them."""
        ends = (int(end) if self.kind == "integer" else end for end in (self.minimum, self.maximum))
        low, high = (repr(end) for end in ends)
        return low, high


ParameterRanges = dict[str, list[dict[str, str]]]
"""``ParameterRanges`` of SageMaker's CreateHyperParameterTuningJob."""


@dataclass(frozen=True)
class TuningJob:
    """A tuning job: how many trainings, how many of them at the same time, and the ranges they search."""

    jobs: int
    parallel_jobs: int
    parameter_ranges: ParameterRanges


class Tuning(Settings):
    """A search for the hyperparameters with the least ``validation_loss``.

    Attributes:
        enabled: whether every release searches; a batch's ``manifest.json`` may say otherwise.
        jobs: the number of trainings for each model.
        parallel_jobs: how many of them run at the same time.
        ranges: hyperparameter -> the values it may have; the others keep their values.
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
            raise ValueError(f"tuning.ranges must not name {reserved}, which the state machine sets")
        return self

    def parameter_ranges(self) -> ParameterRanges:
        """The ranges as SageMaker wants them."""
        return {
            "IntegerParameterRanges": [_request(n, r) for n, r in self.ranges.items() if r.kind == "integer"],
            "ContinuousParameterRanges": [_request(n, r) for n, r in self.ranges.items() if r.kind == "number"],
        }

    def job(self) -> TuningJob:
        """The tuning job, as ``partitions.json`` describes it to the state machine."""
        return TuningJob(self.jobs, self.parallel_jobs, self.parameter_ranges())


def _request(name: str, allowed: Range) -> dict[str, str]:
    low, high = allowed.ends
    scaling = {"linear": "Linear", "log": "Logarithmic"}[allowed.scale]
    return {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": scaling}
