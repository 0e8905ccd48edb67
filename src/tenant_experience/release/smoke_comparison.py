"""How far two answers differ. No numpy, because a Lambda function compares them."""

from __future__ import annotations

import math
from typing import Any


def difference(given: Any, expected: Any) -> float:
    """The largest absolute difference between two numbers, or between the numbers of two objects.

    Returns:
        For other values 0 when they are equal; infinity when they are not, or are of different kinds.
    """
    if isinstance(given, dict) and isinstance(expected, dict):
        if given.keys() != expected.keys():
            return math.inf
        return max((difference(given[name], expected[name]) for name in expected), default=0.0)
    if _is_number(given) and _is_number(expected):
        return abs(float(given) - float(expected))
    return 0.0 if given == expected else math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
