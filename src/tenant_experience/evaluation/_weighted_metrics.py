"""How well a model's outputs agree with labels, for many weightings of the same rows at once.

A bootstrap resample is a weighting: how often each row was drawn. Sorting once and summing weights by rank makes
hundreds of resamples cost little more than one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.statistics.arrays import Floats

# The metric that a model of each task is trained to reduce.
LOSSES = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}
# A median of times is what makes this least.
LOSS_OF_TIMES = "mae"
SMALLEST = 1e-15


def weighted_metrics(rows: ScoredRows, weights: Floats) -> dict[str, Floats]:
    """Every metric of the rows' task, by name; multiclass ones are means over the classes where they are of one class.

    Args:
        rows: at least one.
        weights: (samples, rows), each sample's how often a row counts.

    Returns:
        (samples,) of each metric; NaN where it is undefined, such as the ROC AUC of a single class. Binary and
        multiclass: roc_auc, pr_auc, log_loss, brier, f1, precision, recall, accuracy. Regression: rmse, mae, r2 (the
        share of the labels' variance that is explained).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return _regression(rows, weights) if rows.task == "regression" else _classification(rows, weights)


def _classification(rows: ScoredRows, weights: Floats) -> dict[str, Floats]:
    # (rows, classes); the only class of a binary task is the positive one.
    outputs = rows.outputs.reshape(len(rows), -1)
    classes = np.arange(outputs.shape[1]) if rows.task == "multiclass" else np.array([1])
    truth = rows.labels[:, np.newaxis] == classes
    answers = rows.answers[:, np.newaxis] == classes
    total = weights.sum(axis=1)
    hits, called, there = (weights @ flags.astype(np.float64) for flags in (truth & answers, answers, truth))
    ranked = [_ranked(truth[:, place], outputs[:, place], weights) for place in range(len(classes))]
    likelihood = outputs[truth] if rows.task == "multiclass" else np.where(truth, outputs, 1 - outputs)[:, 0]
    return {
        "roc_auc": np.mean([roc for roc, _ in ranked], axis=0),
        "pr_auc": np.mean([precision for _, precision in ranked], axis=0),
        "log_loss": weights @ -np.log(np.clip(likelihood, SMALLEST, 1)) / total,
        "brier": weights @ ((outputs - truth) ** 2).sum(axis=1) / total,
        "f1": np.nan_to_num(2 * hits / (called + there)).mean(axis=1),
        "precision": np.nan_to_num(hits / called).mean(axis=1),
        "recall": np.nan_to_num(hits / there).mean(axis=1),
        "accuracy": weights @ (rows.answers == rows.labels).astype(np.float64) / total,
    }


def _ranked(truth: NDArray[np.bool_], outputs: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Area under the ROC curve (ties half) and average precision, (samples,) each."""
    order = np.argsort(outputs, kind="stable")
    ordered = outputs[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    weights = weights[:, order]
    positive = np.add.reduceat(weights * truth[order], first, axis=1)
    negative = np.add.reduceat(weights * ~truth[order], first, axis=1)
    positives, negatives = positive.sum(axis=1), negative.sum(axis=1)
    below = negative.cumsum(axis=1) - negative
    roc = (positive * (below + negative / 2)).sum(axis=1) / (positives * negatives)
    # At and above each distinct output: how many are called positive, and how many of them are.
    called = (positive + negative)[:, ::-1].cumsum(axis=1)[:, ::-1]
    right = positive[:, ::-1].cumsum(axis=1)[:, ::-1]
    precision = (positive * np.nan_to_num(right / called)).sum(axis=1) / positives
    return roc, precision


def _regression(rows: ScoredRows, weights: Floats) -> dict[str, Floats]:
    total = weights.sum(axis=1)
    error = rows.numbers - rows.labels
    squared = weights @ error**2
    labels = rows.labels - rows.labels.mean()
    variance = weights @ labels**2 / total - (weights @ labels / total) ** 2
    return {
        "rmse": np.sqrt(squared / total),
        "mae": weights @ np.abs(error) / total,
        "r2": np.where(variance > SMALLEST, 1 - squared / total / variance, np.nan),
    }
