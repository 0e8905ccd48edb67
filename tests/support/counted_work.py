"""How much work a function does, counted: what grows with the square of its input shows, however quick the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any
from unittest.mock import patch

import numpy as np


class CountedArray(np.ndarray):
    """An array that adds up how many elements were compared or computed with, its copies' included."""

    elements = 0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        CountedArray.elements += sum(np.size(each) for each in inputs)
        return getattr(ufunc, method)(*map(_plain, inputs), **{name: _plain(each) for name, each in options.items()})


def counted(values: Any) -> Any:
    """The values as an array that counts."""
    return np.asarray(values).view(CountedArray)


def work_of(function: Callable[[], object]) -> int:
    """Bytecode instructions that ``function`` runs, elements that it fills, and those that counted arrays work with."""
    instructions, fill = 0, np.full

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        nonlocal instructions
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        instructions += event == "opcode"
        return trace

    def filled(shape: int, *values: Any) -> Any:
        array = fill(shape, *values)
        CountedArray.elements += array.size
        return array

    before, CountedArray.elements = sys.gettrace(), 0
    with patch.object(np, "full", filled):
        sys.settrace(trace)
        try:
            function()
        finally:
            sys.settrace(before)
    return instructions + CountedArray.elements


def growth(work: Callable[[int], Callable[[], object]], small: int, times: int = 4) -> float:
    """How many times as much work ``times`` the input is, relative to ``times``: 1 is linear, ``times`` is quadratic.

    Args:
        work: from the size of an input to the function to count; making the input does not count.
        small: the smaller size.
        times: how much larger the other is.
    """
    return work_of(work(small * times)) / work_of(work(small)) / times


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(each) for each in value)
    return value.view(np.ndarray) if isinstance(value, CountedArray) else value
