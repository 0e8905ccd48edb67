"""What a trainer is: hyperparameters in, a model's bytes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tenant_experience.encoding import Matrix
from tenant_experience.use_case import Task

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Dataset:
    """Rows to learn from.

    Attributes:
        matrix: (rows, columns) float32, NaN = missing.
        labels: (rows,) the number of the class, or the number to learn.
    """

    matrix: Matrix
    labels: NDArray[np.float32]


@dataclass(frozen=True)
class Objective:
    """What is to be learned.

    Attributes:
        task: binary (the probability of class 1), multiclass (of each class) or regression (a number).
        classes: how many there are; 0 for a number.
    """

    task: Task
    classes: int


@dataclass(frozen=True)
class TrainedModel:
    """What a trainer returns.

    Attributes:
        content: the bytes of ``model.ubj``.
        rounds: how many trees the model kept.
        validation_loss: on the validation part after those: log loss, or root mean squared error for a number.
    """

    content: bytes
    rounds: int
    validation_loss: float


class Trainer(Protocol):
    """A way to train. Another one is a class with these, and a line in ``training.TRAINERS``."""

    def settings(self, given: Mapping[str, str]) -> Settings:
        """Hyperparameters as they will be used, defaults included.

        Args:
            given: those of the training job, every value a string.

        Raises:
            UserError: ``unknown_hyperparameter`` or ``bad_hyperparameter``, naming it.
        """

    def train(
        self,
        train: Dataset,
        validation: Dataset,
        columns: Sequence[str],
        objective: Objective,
        settings: Settings,
        threads: int,
    ) -> TrainedModel:
        """Learns from one part and stops by the other. Same input, settings and threads: the same bytes."""
