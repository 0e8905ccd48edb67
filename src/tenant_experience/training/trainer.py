"""What a trainer is: hyperparameters in, a model's bytes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenant_experience.errors import UserError
from tenant_experience.models.artifact import Scaling
from tenant_experience.models.encoding import Matrix
from tenant_experience.use_case.labels import Task


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
        content: the bytes of ``model.ubj``, which XGBoost reads whoever trained it.
        rounds: how many rounds of trees, or steps of a solver, the model kept.
        scaling: of the columns, for a linear model.
    """

    content: bytes
    rounds: int
    scaling: Scaling | None = None


class TrainerSettings(BaseModel):
    """Hyperparameters of a trainer; ``seed`` is of everything drawn, by the trainer or for it."""

    # Defaults too: a model's record must not tell 1 where the same setting, read back, is 1.0.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    seed: int = Field(default=0, ge=0, le=2**31 - 1)


class Trainer(Protocol):
    """A way to train. Another one is a module with such a class, and a line in ``training.TRAINERS``."""

    @property
    def settings(self) -> type[TrainerSettings]:
        """What hyperparameters there are, their defaults and bounds."""

    def train(
        self,
        train: Dataset,
        validation: Dataset,
        columns: Sequence[str],
        objective: Objective,
        settings: Any,
    ) -> TrainedModel:
        """Learns from one part and stops by the other, with one thread. Same input and settings: the same bytes.

        One thread: sums that several threads share out depend on how many there are, and so would the bytes; and many
        models at once, each on a core, take half the time of one after another on all cores.

        Args:
            train: what is learnt from.
            validation: what decides when to stop.
            columns: names of the matrix' columns.
            objective: what is to be learned.
            settings: of the type ``settings``.
        """


def parse_settings(name: str, trainer: Trainer, given: Mapping[str, Any]) -> TrainerSettings:
    """Hyperparameters as they will be used, defaults included.

    Args:
        name: of the trainer.
        trainer: whose they are.
        given: those of the training job, every value a string; or those of a model's record.

    Raises:
        UserError: ``unknown_hyperparameter`` or ``bad_hyperparameter``, naming each and what is allowed.
    """
    known = trainer.settings.model_fields
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UserError(
            f"hyperparameters {', '.join(unknown)} are not known to the trainer {name}; known are "
            f"{', '.join(known)}. Mend manifest.json or use_case.yaml",
            code="unknown_hyperparameter",
        )
    try:
        return trainer.settings.model_validate(dict(given))
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}={fault['input']!r}: {fault['msg']}" for fault in error.errors())
        raise UserError(
            f"hyperparameters: {faults}. Mend manifest.json or use_case.yaml", code="bad_hyperparameter"
        ) from error
