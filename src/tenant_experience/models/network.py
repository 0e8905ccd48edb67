"""A small recurrent network in NumPy: what it answers, and what each column adds to the answer.

A gated recurrent unit (Cho et al. 2014) reads the columns that are one quantity at fixed lags, oldest first. Its last
state and all other columns go through one dense layer. JAX, which trains it, is not needed here.

Every product is added up column by column, in one order, and not by a library for matrices, whose order depends on the
number of rows. So a row is answered alike alone and among others, and on every machine. Numbers have 64 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tenant_experience.models.encoding import Matrix
from tenant_experience.statistics.arrays import Floats

WIDEST = 128
# A scaled value further from the mean counts as this many standard deviations.
FURTHEST = 10.0
_LARGEST_WEIGHT, _LARGEST_SUM = 1e6, 1e37
# Rows at a time, so that what is computed stays in the processor's cache.
_BLOCK = 256
# Points of the path from the mean row to the row, and their weights (Gauss and Legendre).
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PATH, _SHARE = (_NODES + 1) / 2, _WEIGHTS / 2
# No gradient of a trained network comes near it.
_LARGEST_CONTRIBUTION = 1e30


@dataclass(frozen=True)
class Layout:
    """Which numbers a network reads at each step, and which only at the end.

    For C columns it reads 2 C inputs: the scaled values, 0 where they are missing, and then for each column whether its
    value is missing (1) or known (0).

    Attributes:
        columns: how many.
        steps: (steps, 2 * sequences) inputs of each step, the oldest first.
        rest: inputs of the columns of no sequence.
    """

    columns: int
    steps: NDArray[np.intp]
    rest: NDArray[np.intp]

    @classmethod
    def of(cls, columns: int, sequences: Sequence[Sequence[int]]) -> Layout:
        """The layout of columns some of which are sequences: for each, the places of its columns, oldest first."""
        values = np.asarray(sequences, dtype=np.intp).T
        rest = np.setdiff1d(np.arange(columns), values)
        both = [np.concatenate([places, places + columns], axis=-1) for places in (values, rest)]
        return cls(columns, both[0], both[1])

    @classmethod
    def named(cls, columns: Sequence[str], sequences: Mapping[str, Sequence[str]]) -> Layout:
        """The same from names."""
        return cls.of(len(columns), [[columns.index(name) for name in names] for names in sequences.values()])

    def shapes(self, width: int, answers: int) -> dict[str, tuple[int, ...]]:
        """The arrays of a network: their names and shapes.

        Args:
            width: of the state and of the dense layer.
            answers: how many numbers it answers with.
        """
        return {
            "centre": (self.columns,),
            "scale": (self.columns,),
            "reference": (2 * self.columns,),
            "step_weights": (self.steps.shape[1], 3 * width),
            "state_weights": (width, 3 * width),
            "step_bias": (3 * width,),
            "dense_weights": (width + len(self.rest), width),
            "dense_bias": (width,),
            "output_weights": (width, answers),
            "output_bias": (answers,),
        }


@dataclass(frozen=True)
class Network:
    """A network that answers; safe to use from several threads.

    Attributes:
        arrays: as ``Layout.shapes`` names them, kept as 64-bit numbers. ``centre`` and ``scale`` are those of the
            columns; ``reference`` holds the mean of each input in training, where contributions begin. The weights of a
            step are those of the update gate, the reset gate and the candidate, side by side.
        layout: of its columns.
        answers: how many numbers it answers with.
    """

    arrays: Mapping[str, NDArray[np.floating]]
    layout: Layout
    answers: int

    def __post_init__(self) -> None:
        _check(self.arrays, self.layout, self.answers)
        object.__setattr__(self, "arrays", {name: each.astype(np.float64) for name, each in self.arrays.items()})

    def inputs(self, matrix: Matrix) -> Floats:
        """(rows, 2 * columns) what the network reads of (rows, columns), NaN = missing."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (matrix.astype(np.float64) - self._weights["centre"]) / self._weights["scale"]
        missing = np.isnan(scaled)
        values = np.clip(np.where(missing, 0.0, scaled), -FURTHEST, FURTHEST)
        return np.hstack([values, missing.astype(np.float64)])

    def margins(self, matrix: Matrix) -> NDArray[np.float32]:
        """(rows,) log-odds or numbers; (rows, answers) logarithms up to a constant where there are several answers."""
        parts = [_Pass.of(self._weights, self.layout, inputs).answers for inputs in _blocks(self.inputs(matrix))]
        answers = np.concatenate([np.empty((0, self.answers)), *parts]).astype(np.float32)
        return answers if self.answers > 1 else answers[:, 0]

    def contributions(self, matrix: Matrix) -> Floats:
        """What each column adds to the margin, and last the margin of the mean row; they sum to the margin.

        They are integrated gradients (Sundararajan et al. 2017) along the straight path from the mean row. What the sum
        over points of the path leaves over is shared out in proportion to the size of the contributions.

        Returns:
            (rows, columns + 1); (rows, answers, columns + 1) where there are several answers.
        """
        margins = self.margins(matrix).astype(np.float64).reshape(len(matrix), self.answers)
        parts = [self._integrated(inputs) for inputs in _blocks(self.inputs(matrix), _BLOCK // len(_PATH))]
        added = np.concatenate([np.empty((0, self.answers, self.layout.columns)), *parts])
        baseline = self._baseline
        size = np.abs(added)
        size[size.sum(axis=2) == 0] = 1.0
        left = margins - baseline - added.sum(axis=2)
        added += size * (left / size.sum(axis=2))[:, :, np.newaxis]
        both = np.concatenate([added, np.broadcast_to(baseline[:, np.newaxis], (*margins.shape, 1))], axis=2)
        return both if self.answers > 1 else both[:, 0]

    @property
    def _weights(self) -> Mapping[str, Floats]:
        return cast(Mapping[str, Floats], self.arrays)

    @cached_property
    def _baseline(self) -> Floats:
        """(answers,) the margins of the mean row."""
        reference = self._weights["reference"][np.newaxis]
        return _Pass.of(self._weights, self.layout, reference).answers.reshape(self.answers)

    def _integrated(self, inputs: Floats) -> Floats:
        """(rows, answers, columns) integrated gradients, before what is left over is shared out."""
        rows, width = inputs.shape
        reference = self._weights["reference"]
        apart = inputs - reference
        path = (reference + _PATH[:, np.newaxis, np.newaxis] * apart).reshape(-1, width)
        with np.errstate(over="ignore", invalid="ignore"):
            passed = _Pass.of(self._weights, self.layout, path)
            slopes = [passed.slopes(answer).reshape(len(_PATH), rows, width) for answer in range(self.answers)]
            added = np.stack([_mean(each) for each in slopes], axis=1) * apart[:, np.newaxis]
            by_column: Floats = added[:, :, : self.layout.columns] + added[:, :, self.layout.columns :]
        by_column[~(np.abs(by_column) < _LARGEST_CONTRIBUTION)] = 0.0
        return by_column


@dataclass(frozen=True)
class _Step:
    """What one step was computed from, for its slopes."""

    before: Floats
    update: Floats
    reset: Floats
    candidate: Floats


@dataclass(frozen=True)
class _Pass:
    """One pass of rows through a network."""

    weights: Mapping[str, Floats]
    layout: Layout
    inputs: Floats
    steps: list[_Step]
    dense: Floats
    answers: Floats

    @classmethod
    def of(cls, weights: Mapping[str, Floats], layout: Layout, inputs: Floats) -> _Pass:
        """From (rows, inputs)."""
        width = len(weights["dense_bias"])
        gates, last = weights["state_weights"][:, : 2 * width], weights["state_weights"][:, 2 * width :]
        state, steps = np.zeros((len(inputs), width)), []
        for places in layout.steps:
            read = _product(inputs[:, places], weights["step_weights"]) + weights["step_bias"]
            both = _sigmoid(read[:, : 2 * width] + _product(state, gates))
            update, reset = both[:, :width], both[:, width:]
            candidate = np.tanh(read[:, 2 * width :] + _product(reset * state, last))
            steps.append(_Step(state, update, reset, candidate))
            state = update * state + (1 - update) * candidate
        joined = np.hstack([state, inputs[:, layout.rest]])
        dense = np.tanh(_product(joined, weights["dense_weights"]) + weights["dense_bias"])
        answers = _product(dense, weights["output_weights"]) + weights["output_bias"]
        return cls(weights, layout, inputs, steps, dense, answers)

    def slopes(self, answer: int) -> Floats:
        """(rows, inputs) the derivative of one of the answers by each input."""
        weights, width, found = self.weights, self.dense.shape[1], np.zeros_like(self.inputs)
        inner = (1 - self.dense**2) * weights["output_weights"][:, answer]
        joined = _product(inner, weights["dense_weights"].T)
        found[:, self.layout.rest] = joined[:, width:]
        gates, last = weights["state_weights"][:, : 2 * width], weights["state_weights"][:, 2 * width :]
        state = joined[:, :width]
        for places, step in zip(self.layout.steps[::-1], self.steps[::-1], strict=True):
            of_candidate = state * (1 - step.update) * (1 - step.candidate**2)
            of_reset_state = _product(of_candidate, last.T)
            of_update = state * (step.before - step.candidate) * step.update * (1 - step.update)
            of_reset = of_reset_state * step.before * step.reset * (1 - step.reset)
            of_gates = np.hstack([of_update, of_reset])
            found[:, places] = _product(np.hstack([of_gates, of_candidate]), weights["step_weights"].T)
            state = state * step.update + of_reset_state * step.reset + _product(of_gates, gates.T)
        return found


def _check(arrays: Mapping[str, NDArray[np.floating]], layout: Layout, answers: int) -> None:
    """Refuses what is not a network of these columns and answers.

    Raises:
        ValueError: says what is wrong.
    """
    width = arrays["dense_bias"].size if "dense_bias" in arrays else 0
    if not 1 <= width <= WIDEST:
        raise ValueError(f"dense_bias has {width} numbers, not 1 to {WIDEST}")
    shapes = layout.shapes(width, answers)
    if sorted(arrays) != sorted(shapes):
        raise ValueError(f"it has the arrays {str(sorted(arrays))[:200]}, not {', '.join(sorted(shapes))}")
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has the shape {arrays[name].shape}, not {shape}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has a number that is not finite")
    if not (arrays["scale"] > 0).all():
        raise ValueError("scale has a number that is not above 0")
    for name in ("reference", "step_weights", "state_weights", "step_bias", "dense_weights", "dense_bias"):
        if np.abs(arrays[name]).max(initial=0) > _LARGEST_WEIGHT:
            raise ValueError(f"{name} has a number above {_LARGEST_WEIGHT:g}")
    sums = np.abs(arrays["output_weights"].astype(np.float64)).sum(axis=0) + np.abs(arrays["output_bias"])
    if not (sums < _LARGEST_SUM).all():
        raise ValueError("the weights of the output are too large")


def _blocks(rows: Floats, size: int = _BLOCK) -> list[Floats]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _mean(slopes: Floats) -> Floats:
    """(rows, inputs) the mean over the points of the path, from (points, rows, inputs)."""
    found = np.zeros(slopes.shape[1:])
    for share, each in zip(_SHARE, slopes, strict=True):
        found += share * each
    return found


def _product(rows: Floats, weights: Floats) -> Floats:
    """The product of two matrices, every number of which is added up in the same order."""
    found = np.zeros((len(rows), weights.shape[1]))
    for column, row in zip(rows.T, np.ascontiguousarray(weights), strict=True):
        found += column[:, np.newaxis] * row
    return found


def _sigmoid(values: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * values))
