"""Long lists of parameters, of which a few differ in kind and the others vary them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest


def mostly_slow(values: Iterable[Any], kept: Container[int]) -> list[Any]:
    """All of these parameters; only those at the ``kept`` places run by default, the others by ``make test-slow``."""
    return [value if place in kept else _slow(value) for place, value in enumerate(values)]


def _slow(value: Any) -> Any:
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
