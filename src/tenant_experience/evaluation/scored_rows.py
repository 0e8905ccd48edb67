"""A model's outputs for some tenants, beside their true labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.models.encoding import Matrix
from tenant_experience.models.scoring import Scorer
from tenant_experience.statistics.arrays import Floats
from tenant_experience.use_case.labels import Task


@dataclass(frozen=True)
class ScoredRows:
    """Labels and a model's outputs, one entry per tenant.

    Attributes:
        task: binary, multiclass or regression.
        labels: (rows,) the number of the class, or the number itself.
        outputs: (rows,) P(positive) or the number; (rows, classes) the probability of each class.
        threshold: of a binary task: the probability from which the answer is positive.
    """

    task: Task
    labels: Floats
    outputs: Floats
    threshold: float = 0.5

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[Any]) -> ScoredRows:
        """The rows that a boolean mask or an index picks."""
        return replace(self, labels=self.labels[rows], outputs=self.outputs[rows])

    @property
    def answers(self) -> Floats:
        """(rows,) what the model answers: the number of a class, or the number."""
        if self.task == "binary":
            return (self.outputs >= self.threshold).astype(np.float64)
        return self.outputs.argmax(axis=1).astype(np.float64) if self.task == "multiclass" else self.outputs

    @property
    def confidence(self) -> Floats:
        """(rows,) binary: P(positive); multiclass: the probability of the answer."""
        return self.outputs.max(axis=1) if self.task == "multiclass" else self.outputs

    @property
    def confirmed(self) -> NDArray[np.bool_]:
        """(rows,) whether the event that ``confidence`` is the probability of came true."""
        return np.equal(self.labels, self.answers if self.task == "multiclass" else 1)


def scored(scorer: Scorer, matrix: Matrix, labels: Floats) -> ScoredRows:
    """A model's outputs for the rows of an encoded matrix, beside their labels."""
    return ScoredRows(scorer.manifest.task, labels, scorer.outputs(matrix), scorer.manifest.threshold)


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
