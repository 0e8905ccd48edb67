"""The values that a tuning job may try. Each range is an interval from 0 to 1, on any scale.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from local_aws.sagemaker.core.errors import validation_error

_WIDE = 100  # the factor between the ends from which Auto means Logarithmic here; the service does not document its own


class Range(ABC):
    """One hyperparameter's range."""

    name: str

    @abstractmethod
    def value(self, place: float) -> str:
        """The hyperparameter at a place between 0 and 1."""


@dataclass(frozen=True)
class NumberRange(Range):
    """Integers or real numbers between two ends, on one scale."""

    name: str
    low: float
    high: float
    scale: str
    whole: bool

    def value(self, place: float) -> str:
        """The number at that place. On a linear scale all integers are equally likely."""
        low, high = self.low, self.high
        if self.whole and self.scale == "Linear":
            low, high = low - 0.5, high + 0.5
        if self.scale == "Logarithmic":
            found = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
        elif self.scale == "ReverseLogarithmic":
            found = 1 - math.exp(math.log(1 - low) + place * (math.log(1 - high) - math.log(1 - low)))
        else:
            found = low + place * (high - low)
        found = min(max(found, self.low), self.high)
        return str(min(max(round(found), int(self.low)), int(self.high))) if self.whole else repr(found)


@dataclass(frozen=True)
class ChoiceRange(Range):
    """One of several words, without an order."""

    name: str
    values: tuple[str, ...]

    def value(self, place: float) -> str:
        """The word whose share of the interval holds the place."""
        return self.values[min(int(place * len(self.values)), len(self.values) - 1)]


def read_ranges(parameter_ranges: dict[str, Any]) -> list[Range]:
    """The ranges of a ParameterRanges structure.

    Raises:
        ServiceError: ValidationException, an end is not a number, the ends are in the wrong order, or the scale does
            not fit them.
    """
    found: list[Range] = [_number(each, whole=True) for each in parameter_ranges.get("IntegerParameterRanges", [])]
    found += [_number(each, whole=False) for each in parameter_ranges.get("ContinuousParameterRanges", [])]
    choices = parameter_ranges.get("CategoricalParameterRanges", [])
    found += [ChoiceRange(each["Name"], tuple(each["Values"])) for each in choices]
    names = [each.name for each in found]
    if len(set(names)) != len(names):
        raise validation_error("A hyperparameter has more than one range.")
    return found


def _number(given: dict[str, str], *, whole: bool) -> NumberRange:
    name, scale = given["Name"], given.get("ScalingType", "Auto")
    try:
        low, high = (float(int(given[key]) if whole else float(given[key])) for key in ("MinValue", "MaxValue"))
    except ValueError as error:
        raise validation_error(f"The range of hyperparameter {name} has an end that is no number: {error}.") from error
    if not low <= high or math.isinf(low) or math.isinf(high):
        raise validation_error(f"The range of hyperparameter {name} must have a MinValue that is at most its MaxValue.")
    if scale == "Auto":
        scale = "Logarithmic" if low > 0 and high / low >= _WIDE else "Linear"
    if scale == "Logarithmic" and low <= 0:
        raise validation_error(f"Logarithmic scaling of hyperparameter {name} needs a MinValue greater than 0.")
    if scale == "ReverseLogarithmic" and (whole or low < 0 or high >= 1):
        raise validation_error(
            f"ReverseLogarithmic scaling of hyperparameter {name} needs a continuous range within 0 <= x < 1."
        )
    return NumberRange(name, low, high, scale, whole)
