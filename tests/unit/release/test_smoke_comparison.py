from __future__ import annotations

import math
from typing import Any

import pytest

from tenant_experience.release.smoke_comparison import difference


@pytest.mark.parametrize(
    ("given", "expected", "apart"),
    [
        (0.5, 0.75, 0.25),
        ("bad", "bad", 0.0),
        ("bad", "good", math.inf),
        (None, None, 0.0),
        (None, 0.5, math.inf),
        ({"a": 0.1, "b": 0.9}, {"a": 0.1, "b": 0.4}, 0.5),
        ({"a": 0.1}, {"a": 0.1, "b": 0.4}, math.inf),
    ],
)
def test_answers_are_as_far_apart_as_their_furthest_numbers(given: Any, expected: Any, apart: float) -> None:
    assert difference(given, expected) == apart
