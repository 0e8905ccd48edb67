"""What a trainer is: it takes rows and hyperparameters, and gives the bytes of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenant_experience.data_layout import MODEL_FILE
from tenant_experience.errors import UserError
from tenant_experience.models.artifact import Scaling
from tenant_experience.models.encoding import Matrix
from tenant_experience.statistics.survival import Distribution
from tenant_experience.use_case.labels import Task


@dataclass(frozen=True)
class Dataset:
    """Rows to train on.

    Attributes:
        matrix: (rows, columns) float32, NaN = missing.
        labels: (rows,) the number of the class, or the number to predict.
        censored: (rows,) of times until an event: whether it had not happened by then, so that the label is only less
            than the true time; None where every label is what it says.
    """

    matrix: Matrix
    labels: NDArray[np.float32]
    censored: NDArray[np.bool_] | None = None

    def take(self, rows: NDArray[Any]) -> Dataset:
        """The rows that a boolean mask or an index picks."""
        return Dataset(self.matrix[rows], self.labels[rows], None if self.censored is None else self.censored[rows])


@dataclass(frozen=True)
class Objective:
    """What a model is to predict.

    Attributes:
        task: binary (the probability of class 1), multiclass (of each class) or regression (a number).
        classes: how many there are; 0 for a number.
        directions: of each column, 1 where more of it can only make class 1 likelier, -1 where it can only make it less
            likely, else 0; empty where nothing is known. Trees keep to it.
        sequences: places of the columns that are one quantity at fixed lags, oldest first, an entry for each quantity;
            only for the trainers that need them.
    """

    task: Task
    classes: int
    directions: tuple[int, ...] = ()
    sequences: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class TrainedModel:
    """What a trainer returns.

    Attributes:
        content: the bytes of the model's file.
        rounds: the number of rounds of trees, steps of a solver or passes through the rows that the model kept.
        scaling: of the columns; linear models only.
        file: what ``content`` is: ``model.ubj``, trees or weights that XGBoost can read, whichever library made them;
            or ``model.npz``, the arrays of a network (``models.network``).
        libraries: versions of the libraries that trained it, beside those that are always recorded.
    """

    content: bytes
    rounds: int
    scaling: Scaling | None = None
    file: Literal["model.ubj", "model.npz"] = MODEL_FILE
    libraries: Mapping[str, str] = field(default_factory=dict)


class TrainerSettings(BaseModel):
    """Hyperparameters of a trainer. ``seed`` seeds everything that is drawn at random, by the trainer or for it."""

    # Defaults are validated too: a record must not say 1 where the same setting, read back, is 1.0.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)

    seed: int = Field(default=0, ge=0, le=2**31 - 1)

    @property
    def distribution(self) -> Distribution | None:
        """How times until an event are distributed, of a trainer that learns from censored ones too; else None."""
        return None


class Trainer(Protocol):
    """A way to train a model. To add one, write a module in ``trainers``: see docs/trainers.md."""

    @property
    def settings(self) -> type[TrainerSettings]:
        """The hyperparameters, with their defaults and bounds."""

    def train(
        self,
        train: Dataset,
        validation: Dataset,
        columns: Sequence[str],
        objective: Objective,
        settings: Any,
    ) -> TrainedModel:
        """Trains on one part and stops by the other, with one thread. The same input and settings give the same bytes.

        One thread, because sums that several threads share depend on the number of threads, and the bytes would depend
        on it too. Besides, many models at once, each on one core, take half the time of one after another on all cores.

        Args:
            train: the rows to train on.
            validation: the rows that decide when to stop.
            columns: names of the columns of the matrix.
            objective: what the model is to predict.
            settings: of the type ``settings``.
        """


def parse_settings(name: str, trainer: Trainer, given: Mapping[str, Any]) -> TrainerSettings:
    """The hyperparameters that will be used, defaults included.

    Args:
        name: of the trainer.
        trainer: the trainer they are for.
        given: those of the training job, with every value a string; or those of a model's record.

    Raises:
        UserError: ``unknown_hyperparameter`` or ``bad_hyperparameter``; the message names each, and what is allowed.
    """
    known = trainer.settings.model_fields
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UserError(
            f"the trainer {name} does not know the hyperparameters {', '.join(unknown)}; it knows "
            f"{', '.join(known)}. Correct manifest.json or use_case.yaml",
            code="unknown_hyperparameter",
        )
    try:
        return trainer.settings.model_validate(dict(given))
    except ValidationError as error:
        # A fault of several hyperparameters together has no place of its own.
        faults = "; ".join(
            f"{fault['loc'][0]}={fault['input']!r}: {fault['msg']}" if fault["loc"] else fault["msg"]
            for fault in error.errors()
        )
        raise UserError(
            f"hyperparameters: {faults}. Correct manifest.json or use_case.yaml", code="bad_hyperparameter"
        ) from error
