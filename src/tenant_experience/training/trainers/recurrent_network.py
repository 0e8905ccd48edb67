"""A small recurrent network for features that are one quantity at fixed lags, trained with JAX and served without it.

``models/network.py`` says what the network is and how it answers; here it is only trained. Trees and linear models see
the lags as unrelated columns; this reads them in order. JAX is imported when training begins, and not before: jobs that
only check hyperparameters do not have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenant_experience.data_layout import NETWORK_FILE
from tenant_experience.models.network import WIDEST, Layout, Network
from tenant_experience.models.network_file import write_arrays
from tenant_experience.training.trainer import Dataset, Objective, TrainedModel, TrainerSettings
from tenant_experience.training.trainers._jax_network import Batch, Learner, Parameters, import_jax
from tenant_experience.use_case.labels import Task

# Rows whose loss is computed at once.
_EVALUATED = 1_024
_FIXED = ("centre", "scale", "reference")


class RecurrentNetworkSettings(TrainerSettings):
    """Hyperparameters.

    Attributes:
        width: numbers of the state, and of the dense layer.
        epochs: passes through the training part, at most.
        patience: passes without a better validation loss, after which training ends.
        batch_size: rows of one step of Adam.
        learning_rate: of Adam.
        weight_decay: what a step takes away from every weight, as a share of it and of the learning rate.
    """

    width: int = Field(default=16, ge=1, le=WIDEST)
    epochs: int = Field(default=60, ge=1, le=1_000)
    patience: int = Field(default=8, ge=1)
    batch_size: int = Field(default=128, ge=1, le=10_000)
    learning_rate: float = Field(default=0.01, gt=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0, lt=1)


class RecurrentNetworkTrainer:
    """See ``trainer.Trainer``."""

    settings = RecurrentNetworkSettings

    def train(
        self,
        train: Dataset,
        validation: Dataset,
        columns: Sequence[str],
        objective: Objective,
        settings: RecurrentNetworkSettings,
    ) -> TrainedModel:
        """Follows Adam through the training part, and keeps the weights that were best on the validation part."""
        versions = {module.__name__: module.__version__ for module in import_jax()}
        layout = Layout.of(len(columns), objective.sequences)
        answers = objective.classes if objective.task == "multiclass" else 1
        chance = np.random.default_rng(settings.seed)
        arrays = _untrained(train, layout, answers, settings.width, chance)
        shift, factor = _scale_of_labels(train, objective.task)
        parts = [
            _Rows.of(Network(arrays, layout, answers), data, (data.labels - shift) / factor)
            for data in (train, validation)
        ]
        learned, rounds = _best(parts, arrays, objective.task, settings, chance)
        arrays |= learned
        arrays["output_weights"] = (arrays["output_weights"] * factor).astype(np.float32)
        arrays["output_bias"] = (arrays["output_bias"] * factor + shift).astype(np.float32)
        return TrainedModel(write_arrays(arrays), rounds, file=NETWORK_FILE, libraries=versions)


@dataclass(frozen=True)
class _Rows:
    """Rows as the network reads them, in batches of one size: JAX compiles for each size anew.

    Attributes:
        steps: (steps, rows, inputs of a step) float32.
        rest: (rows, inputs that are no steps) float32.
        labels: (rows,) float32.
    """

    steps: NDArray[np.float32]
    rest: NDArray[np.float32]
    labels: NDArray[np.float32]

    @classmethod
    def of(cls, encoder: Network, data: Dataset, labels: NDArray[np.floating]) -> _Rows:
        """The rows of a dataset with labels on the network's scale."""
        inputs, layout = encoder.inputs(data.matrix).astype(np.float32), encoder.layout
        steps = np.stack([inputs[:, places] for places in layout.steps])
        return cls(steps, inputs[:, layout.rest], labels.astype(np.float32))

    def batches(self, order: NDArray[np.intp], size: int) -> Iterator[Batch]:
        """The rows in an order; the last batch is filled up with rows that weigh nothing."""
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            filled = np.concatenate([rows, np.zeros(size - len(rows), dtype=np.intp)])
            weights = (np.arange(size) < len(rows)).astype(np.float32)
            yield Batch(self.steps[:, filled], self.rest[filled], self.labels[filled], weights)


def _best(
    parts: Sequence[_Rows],
    arrays: dict[str, NDArray[np.float32]],
    task: Task,
    settings: RecurrentNetworkSettings,
    chance: np.random.Generator,
) -> tuple[Parameters, int]:
    """The learned arrays that were best on the validation part, and after how many passes they were found."""
    train, validation = parts
    learner = Learner(task, {name: each for name, each in arrays.items() if name not in _FIXED})
    everything = np.arange(len(validation.labels))
    best, lowest, rounds = learner.parameters, np.inf, 0
    for epoch in range(1, settings.epochs + 1):
        for batch in train.batches(chance.permutation(len(train.labels)), settings.batch_size):
            learner.step(batch, settings.learning_rate, settings.weight_decay)
        loss = sum(learner.loss(batch) for batch in validation.batches(everything, _EVALUATED))
        if loss < lowest:
            best, lowest, rounds = learner.parameters, loss, epoch
        elif epoch - rounds >= settings.patience:
            break
    return {name: np.asarray(each) for name, each in best.items()}, max(rounds, 1)


def _untrained(
    train: Dataset, layout: Layout, answers: int, width: int, chance: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """The arrays before training: how columns are scaled, and weights at random."""
    arrays = {name: np.zeros(shape, np.float32) for name, shape in layout.shapes(width, answers).items()}
    arrays["centre"], arrays["scale"] = _scaling(train, layout)
    arrays["reference"] = Network(arrays, layout, answers).inputs(train.matrix).mean(axis=0).astype(np.float32)
    for name in ("step_weights", "state_weights", "dense_weights", "output_weights"):
        shape = arrays[name].shape
        arrays[name] = (chance.uniform(-1, 1, shape) / np.sqrt(max(shape[0], width))).astype(np.float32)
    arrays["step_bias"][:width] = 1  # A state that is kept at first is one that can be learned from.
    return arrays


def _scaling(train: Dataset, layout: Layout) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each column; the steps of a sequence share theirs, so that levels stay."""
    groups = [layout.steps[:, place] for place in range(layout.steps.shape[1] // 2)]
    groups += [np.asarray([place]) for place in layout.rest if place < layout.columns]
    centre, scale = np.zeros(layout.columns, np.float32), np.ones(layout.columns, np.float32)
    for places in groups:
        values = train.matrix[:, places].astype(np.float64)
        known = values[~np.isnan(values)]
        if len(known) and np.float32(known.std()) > 0:
            centre[places], scale[places] = known.mean(), known.std()
    return centre, scale


def _scale_of_labels(train: Dataset, task: Task) -> tuple[float, float]:
    """What is subtracted from labels that are numbers, and what divides them."""
    if task != "regression":
        return 0.0, 1.0
    labels = train.labels.astype(np.float64)
    return float(labels.mean()), float(labels.std()) or 1.0


TRAINER = RecurrentNetworkTrainer()
