"""What is published about some tenants, beside their true labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.models.encoding import Matrix
from tenant_experience.models.served_model import Published, ServedModel
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.labels import Task


@dataclass(frozen=True)
class ScoredRows:
    """Labels and published answers, one entry per tenant.

    Attributes:
        task: binary, multiclass or regression.
        labels: (rows,) the number of the class, or the number itself.
        outputs: (rows,) the published probability of the positive class, or the number; (rows, classes) of each class.
        threshold: of a binary task: the probability from which the answer is positive, where ``called`` is not given.
        called: (rows,) the number of the published label; None where it follows from ``outputs``.
        own: as ``outputs``, of the classifier; None where ``outputs`` are its own.
        horizon: of the days until an event: up to which day ``labels`` are counted, so that all of them are known; None
            of other numbers.
    """

    task: Task
    labels: Floats
    outputs: Floats
    threshold: float = 0.5
    called: Floats | None = None
    own: Floats | None = None
    horizon: float | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[Any]) -> ScoredRows:
        """The rows that a boolean mask or an index picks."""
        return replace(
            self,
            labels=self.labels[rows],
            outputs=self.outputs[rows],
            called=None if self.called is None else self.called[rows],
            own=None if self.own is None else self.own[rows],
        )

    @property
    def numbers(self) -> Floats:
        """(rows,) of a number: what was predicted, counted as ``labels`` are."""
        return self.outputs if self.horizon is None else np.minimum(self.outputs, self.horizon)

    @property
    def answers(self) -> Floats:
        """(rows,) what is answered: the number of a class, or the number."""
        return self._meant_by(self.outputs) if self.called is None else self.called

    @property
    def confidence(self) -> Floats:
        """(rows,) the probability whose calibration is measured: binary P(positive), multiclass that of the answer.

        It is the classifier's, because the published one is about another period wherever both differ.
        """
        return self._own.max(axis=1) if self.task == "multiclass" else self._own

    @property
    def confirmed(self) -> NDArray[np.bool_]:
        """(rows,) whether the event that ``confidence`` is the probability of came true."""
        return np.equal(self.labels, self._meant_by(self._own) if self.task == "multiclass" else 1)

    @property
    def _own(self) -> Floats:
        return self.outputs if self.own is None else self.own

    def _meant_by(self, outputs: Floats) -> Floats:
        if self.task == "binary":
            return (outputs >= self.threshold).astype(np.float64)
        return outputs.argmax(axis=1).astype(np.float64) if self.task == "multiclass" else outputs


@dataclass(frozen=True)
class PublishedRows:
    """What the API answers for the rows of a matrix.

    Attributes:
        rows: of the tenants that are answered.
        known: (rows of the matrix,) which are: nothing is answered where nothing that decides is known.
        published: of the tenants that are answered.
    """

    rows: ScoredRows
    known: NDArray[np.bool_]
    published: Published


def published(
    model: ServedModel,
    matrix: Matrix,
    labels: Floats,
    exposure_days: Floats | None = None,
    earlier: Published | None = None,
) -> PublishedRows:
    """What is published about the rows of an encoded matrix, beside their labels; see ``ServedModel.publish``."""
    answers, manifest = model.publish(matrix, exposure_days, earlier), model.scorer.manifest
    known, truth = answers.take(answers.known), labels[answers.known]
    horizon = None if manifest.time_to_event is None else float(manifest.time_to_event.window_days)
    rows = ScoredRows(
        manifest.task,
        truth if horizon is None else np.minimum(truth, horizon),
        known.outputs,
        manifest.threshold,
        None if known.label is None else known.label.astype(np.float64),
        known.own if model.grouping else None,
        horizon,
    )
    return PublishedRows(rows, answers.known, known)


@dataclass(frozen=True)
class ConfusionMatrix:
    """How many tenants of each class (a row of ``matrix``) got each answer (a column); ``labels`` names both."""

    labels: list[str]
    matrix: list[list[int]]


def confusion_matrix(rows: ScoredRows, classes: Sequence[str]) -> ConfusionMatrix:
    """Counts the answers to the tenants of each class."""
    places = rows.labels.astype(int) * len(classes) + rows.answers.astype(int)
    counts = np.bincount(places, minlength=len(classes) ** 2).reshape(len(classes), -1)
    return ConfusionMatrix(list(classes), counts.tolist())
