"""How good the answers about a file were, by the truth that its rows brought along. Only the standard library.

Functions have no room for numpy; a file of the queue has few enough rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

_BINS = 10


@dataclass(frozen=True)
class KnownRow:
    """An answer about a row whose truth is known.

    Attributes:
        partition: the name of its partition.
        truth: what really happened: a class, or a number.
        prediction: what the model said.
        probability: of the positive class; None where there is none.
    """

    partition: str
    truth: str | float
    prediction: str | float
    probability: float | None = None


def evaluate(rows: Sequence[KnownRow], labels: Sequence[str], positive: str | None) -> dict[str, Any]:
    """The figures of a file: of all rows, and of those of each partition.

    Args:
        rows: the rows whose truth is known; other rows do not count.
        labels: the classes, in order; none when the model predicts a number.
        positive: the positive one of two classes.
    """
    by_partition: dict[str, list[KnownRow]] = {}
    for row in rows:
        by_partition.setdefault(row.partition, []).append(row)
    return {
        "file": figures(rows, labels, positive),
        "partitions": {name: figures(some, labels, positive) for name, some in sorted(by_partition.items())},
    }


def figures(rows: Sequence[KnownRow], labels: Sequence[str], positive: str | None) -> dict[str, Any]:
    """The figures of some rows; one that is not defined, such as the ROC AUC of a single class, is None."""
    if not labels:
        return _of_numbers([float(row.truth) for row in rows], [float(row.prediction) for row in rows])
    truths, predictions = [str(row.truth) for row in rows], [str(row.prediction) for row in rows]
    matrix = confusion(truths, predictions, labels)
    total = len(rows)
    found: dict[str, Any] = {
        "rows": total,
        "accuracy": _share(sum(matrix[place][place] for place in range(len(labels))), total),
        # Rows are what happened, columns what was said.
        "confusion_matrix": {
            said: dict(zip(labels, line, strict=True)) for said, line in zip(labels, matrix, strict=True)
        },
    }
    if len(labels) > 2 or positive is None:
        each = [_of_class(matrix, place) for place in range(len(labels))]
        means = {f"macro_{name}": _mean([one[name] for one in each]) for name in each[0]}
        return found | means | {"classes": dict(zip(labels, each, strict=True))}
    found |= _of_class(matrix, list(labels).index(positive))
    known = [(row.probability, str(row.truth) == positive) for row in rows if row.probability is not None]
    return found | _of_probabilities([each for each, _ in known], [happened for _, happened in known])


def confusion(truths: Sequence[str], predictions: Sequence[str], labels: Sequence[str]) -> list[list[int]]:
    """How often each class (rows) was taken for each (columns)."""
    places = {label: place for place, label in enumerate(labels)}
    matrix = [[0] * len(labels) for _ in labels]
    for truth, prediction in zip(truths, predictions, strict=True):
        matrix[places[truth]][places[prediction]] += 1
    return matrix


def _of_class(matrix: Sequence[Sequence[int]], place: int) -> dict[str, float | None]:
    """One class against the others."""
    hits = matrix[place][place]
    there, called = sum(matrix[place]), sum(line[place] for line in matrix)
    total = sum(map(sum, matrix))
    rightly_not = total - there - called + hits
    return {
        "precision": _share(hits, called),
        "recall": _share(hits, there),
        "f1": _share(2 * hits, there + called),
        "specificity": _share(rightly_not, total - there),
    }


def _of_probabilities(probabilities: Sequence[float], happened: Sequence[bool]) -> dict[str, Any]:
    total = len(probabilities)
    if not total:
        return {"roc_auc": None, "brier": None, "calibration_error": None, "calibration": []}
    bins = _bins(probabilities, happened)
    return {
        "roc_auc": roc_auc(probabilities, happened),
        "brier": math.fsum((p - h) ** 2 for p, h in zip(probabilities, happened, strict=True)) / total,
        "calibration_error": math.fsum(each["rows"] * abs(each["said"] - each["happened"]) for each in bins) / total,
        "calibration": bins,
    }


def roc_auc(scores: Sequence[float], happened: Sequence[bool]) -> float | None:
    """The chance that a row where it happened has a higher score than one where it did not; ties count half."""
    positives = sum(happened)
    negatives = len(happened) - positives
    if not positives or not negatives:
        return None
    below, won = 0, 0
    ordered = sorted(zip(scores, happened, strict=True), key=itemgetter(0))
    for _, some in groupby(ordered, key=itemgetter(0)):
        flags = [flag for _, flag in some]
        here = sum(flags)
        won += here * (2 * below + len(flags) - here)  # twice what they win, which is a whole number
        below += len(flags) - here
    return won / (2 * positives * negatives)


def _bins(probabilities: Sequence[float], happened: Sequence[bool]) -> list[dict[str, Any]]:
    """Ten bins of the same width, those without rows left out: what was said in each, and what happened."""
    filled: dict[int, list[tuple[float, bool]]] = {}
    for probability, it_happened in zip(probabilities, happened, strict=True):
        filled.setdefault(min(int(probability * _BINS), _BINS - 1), []).append((probability, it_happened))
    return [
        {
            "from": place / _BINS,
            "rows": len(some),
            "said": math.fsum(probability for probability, _ in some) / len(some),
            "happened": sum(it_happened for _, it_happened in some) / len(some),
        }
        for place, some in sorted(filled.items())
    ]


def _of_numbers(truths: Sequence[float], predictions: Sequence[float]) -> dict[str, Any]:
    total = len(truths)
    errors = [prediction - truth for truth, prediction in zip(truths, predictions, strict=True)]
    return {
        "rows": total,
        "mae": math.fsum(map(abs, errors)) / total if total else None,
        "rmse": math.sqrt(math.fsum(error * error for error in errors) / total) if total else None,
    }


def numbers(figures_of: Mapping[str, Any]) -> dict[str, float]:
    """The figures that are one number each, as metrics."""
    return {
        name: float(value)
        for name, value in figures_of.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
