"""What a trainer is: hyperparameters in, a model's bytes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tenant_experience.scoring import Matrix

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Dataset:
    """Rows to learn from.

    Attributes:
        matrix: (rows, features) float32, NaN = missing.
        labels: (rows,) 1 = the positive label.
    """

    matrix: Matrix
    labels: NDArray[np.int8]


@dataclass(frozen=True)
class TrainedModel:
    """What a trainer returns.

    Attributes:
        content: the bytes of ``model.ubj``.
        rounds: how many trees the model kept.
        validation_loss: log loss on the validation part after those.
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
        self, train: Dataset, validation: Dataset, features: Sequence[str], settings: Settings, threads: int
    ) -> TrainedModel:
        """Learns from one part and stops by the other. Same input, settings and threads: the same bytes."""
