"""The network of ``models/network.py`` in JAX, with its gradient and Adam. JAX is imported on first use only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenant_experience.errors import PlatformError
from tenant_experience.use_case.labels import Task

# Adam's, as its authors give them (Kingma and Ba 2015).
_FIRST_MOMENT, _SECOND_MOMENT, _LEAST = 0.9, 0.999, 1e-8
# A longer gradient of a batch is shortened to this, so that one odd batch does not undo the others.
_LONGEST_GRADIENT = 1.0
# With several threads the bytes of a model would depend on their number, and with AVX-512 on the machine.
_XLA_FLAGS = "--xla_cpu_multi_thread_eigen=false --xla_cpu_parallel_codegen_split_count=1 --xla_cpu_max_isa=AVX2"
_ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "NPROC": "1", "XLA_FLAGS": _XLA_FLAGS}

Parameters = Mapping[str, Any]


class Batch(NamedTuple):
    """Rows of one step.

    Attributes:
        steps: (steps, rows, inputs of a step).
        rest: (rows, inputs that are no steps).
        labels: (rows,).
        weights: (rows,) 1, or 0 for a row that only fills the batch.
    """

    steps: NDArray[np.float32]
    rest: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]


@cache
def import_jax() -> tuple[ModuleType, ModuleType]:
    """The modules jax and jaxlib, told to compute on the CPU with one thread.

    Raises:
        PlatformError: ``no_jax``.
    """
    try:
        with _environment():
            jax, jaxlib = import_module("jax"), import_module("jaxlib")
            jax.devices()  # the environment is read now, and never again
    except ImportError as error:
        raise PlatformError(
            "JAX is not installed here, and networks are trained with it: run this in the training image (target "
            "training of container/Dockerfile, parameter TrainingImageUri of the stack)",
            code="no_jax",
        ) from error
    return jax, jaxlib


class Learner:
    """Parameters that follow the gradient.

    Attributes:
        parameters: the weights and biases of a network by name; a step replaces them.
    """

    def __init__(self, task: Task, parameters: Parameters) -> None:
        self.parameters: Parameters = dict(parameters)
        self._moments = tuple({name: np.zeros_like(each) for name, each in parameters.items()} for _ in range(2))
        self._steps = 0
        self._step, self._loss = _compiled(task)

    def step(self, batch: Batch, rate: float, decay: float) -> None:
        """One step of Adam; weights, but not biases, also shrink by ``rate * decay``."""
        self._steps += 1
        left = [1 - moment**self._steps for moment in (_FIRST_MOMENT, _SECOND_MOMENT)]
        self.parameters, self._moments = self._step(self.parameters, self._moments, batch, left, rate, decay)

    def loss(self, batch: Batch) -> float:
        """The sum of the rows' losses."""
        return float(self._loss(self.parameters, batch))


def answers(parameters: Parameters, steps: Any, rest: Any) -> Any:
    """(rows, answers) what the network answers: as ``models.network.Network`` does it, row after row at once."""
    jax, _ = import_jax()
    jnp, width = jax.numpy, parameters["dense_bias"].shape[0]
    gates, last = parameters["state_weights"][:, : 2 * width], parameters["state_weights"][:, 2 * width :]

    def step(state: Any, read: Any) -> tuple[Any, None]:
        both = _sigmoid(jnp, read[:, : 2 * width] + state @ gates)
        update, reset = both[:, :width], both[:, width:]
        candidate = jnp.tanh(read[:, 2 * width :] + (reset * state) @ last)
        return update * state + (1 - update) * candidate, None

    read = steps @ parameters["step_weights"] + parameters["step_bias"]
    state, _ = jax.lax.scan(step, jnp.zeros((steps.shape[1], width), read.dtype), read)
    joined = jnp.concatenate([state, rest], axis=1)
    dense = jnp.tanh(joined @ parameters["dense_weights"] + parameters["dense_bias"])
    return dense @ parameters["output_weights"] + parameters["output_bias"]


@cache
def _compiled(task: Task) -> tuple[Any, Any]:
    """A step, and the sum of the losses; compiled once for all models of a process that have the same shapes."""
    jax, _ = import_jax()
    jnp = jax.numpy

    def loss(parameters: Any, batch: Batch) -> Any:
        found = answers(parameters, batch.steps, batch.rest)
        return (batch.weights * _losses(jax, task, found, batch.labels)).sum()

    def step(parameters: Any, moments: Any, batch: Batch, left: Any, rate: Any, decay: Any) -> Any:
        slopes = jax.grad(lambda each: loss(each, batch) / batch.weights.sum())(parameters)
        length = jnp.sqrt(sum((each**2).sum() for each in slopes.values()))
        shorter = jnp.minimum(1, _LONGEST_GRADIENT / jnp.maximum(length, _LEAST))
        new, first, second = {}, {}, {}
        for name, value in parameters.items():
            slope = slopes[name] * shorter
            first[name] = _FIRST_MOMENT * moments[0][name] + (1 - _FIRST_MOMENT) * slope
            second[name] = _SECOND_MOMENT * moments[1][name] + (1 - _SECOND_MOMENT) * slope**2
            change = (first[name] / left[0]) / (jnp.sqrt(second[name] / left[1]) + _LEAST)
            shrunk = decay * value if name.endswith("_weights") else 0
            new[name] = value - rate * (change + shrunk)
        return new, (first, second)

    return jax.jit(step), jax.jit(loss)


def _losses(jax: ModuleType, task: Task, found: Any, labels: Any) -> Any:
    """(rows,) log loss, or the squared error of a number."""
    jnp = jax.numpy
    if task == "multiclass":
        said = jax.nn.log_softmax(found, axis=1)
        return -jnp.take_along_axis(said, labels.astype(int)[:, None], axis=1)[:, 0]
    single = found[:, 0]
    return (single - labels) ** 2 if task == "regression" else jnp.logaddexp(0, single) - labels * single


def _sigmoid(jnp: ModuleType, values: Any) -> Any:
    return 0.5 * (1 + jnp.tanh(0.5 * values))


@contextmanager
def _environment() -> Iterator[None]:
    """The variables that JAX reads once, when it starts."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
