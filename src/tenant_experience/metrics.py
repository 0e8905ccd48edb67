"""How well probabilities agree with labels; every function takes the test part and nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.bool_]
Probabilities = NDArray[np.floating]
Z95 = 1.959963984540054
CALIBRATION_BINS = 10
CURVE_POINTS = 200


def classification_metrics(labels: Labels, probabilities: Probabilities, threshold: float) -> dict[str, float]:
    """ROC AUC, PR AUC (average precision), log loss, Brier, F1, precision, recall and accuracy, by name.

    Args:
        labels: (rows,) whether positive; both kinds must occur.
        probabilities: (rows,) of positive.
        threshold: from which the answer is positive; the last four depend on it.
    """
    from sklearn import metrics

    counts = confusion(labels, probabilities, threshold)
    precision = _share(counts["true_positive"], counts["true_positive"] + counts["false_positive"])
    recall = _share(counts["true_positive"], counts["true_positive"] + counts["false_negative"])
    return {
        "roc_auc": float(metrics.roc_auc_score(labels, probabilities)),
        "pr_auc": float(metrics.average_precision_score(labels, probabilities)),
        "log_loss": float(metrics.log_loss(labels, np.asarray(probabilities, dtype=np.float64))),
        "brier": float(np.mean((probabilities - labels) ** 2)),
        "f1": _share(2 * precision * recall, precision + recall),
        "precision": precision,
        "recall": recall,
        "accuracy": _share(counts["true_positive"] + counts["true_negative"], len(labels)),
    }


def confusion(labels: Labels, probabilities: Probabilities, threshold: float) -> dict[str, int]:
    """How many of each label got each answer; positive is the bad group."""
    answers = probabilities >= threshold
    return {
        "true_positive": int(np.sum(labels & answers)),
        "false_positive": int(np.sum(~labels & answers)),
        "true_negative": int(np.sum(~labels & ~answers)),
        "false_negative": int(np.sum(labels & ~answers)),
    }


def calibration_table(labels: Labels, probabilities: Probabilities) -> list[dict[str, Any]]:
    """Per tenth of the probability: how many rows, their mean probability, and the share that is positive.

    Returns:
        A row per tenth that is not empty: from, to, tenants, mean_probability, share, low, high (95%, Wilson).
    """
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    rows = []
    for number in np.unique(bins).tolist():
        members = bins == number
        positive, total = int(labels[members].sum()), int(members.sum())
        low, high = wilson_interval(positive, total)
        rows.append(
            {
                "from": number / CALIBRATION_BINS,
                "to": (number + 1) / CALIBRATION_BINS,
                "tenants": total,
                "mean_probability": float(probabilities[members].mean()),
                "share": positive / total,
                "low": low,
                "high": high,
            }
        )
    return rows


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """The 95% interval of a share, by Wilson (1927): it stays within 0..1 and holds for few rows.

    Args:
        count: rows that have the property.
        total: rows in all, at least 1.
    """
    share, z2 = count / total, Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    # Exact at the ends, where rounding would leave 1e-17.
    return (0.0 if count == 0 else centre - half), (1.0 if count == total else centre + half)


def roc_curve(labels: Labels, probabilities: Probabilities) -> list[tuple[float, float]]:
    """Points (false positive rate, true positive rate) for a plot."""
    from sklearn import metrics

    false_positive, true_positive, _ = metrics.roc_curve(labels, probabilities)
    return _thinned(false_positive, true_positive)


def precision_recall_curve(labels: Labels, probabilities: Probabilities) -> list[tuple[float, float]]:
    """Points (recall, precision) for a plot."""
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(labels, probabilities)
    return _thinned(recall[::-1], precision[::-1])


def _thinned(x: NDArray[np.floating], y: NDArray[np.floating]) -> list[tuple[float, float]]:
    """At most CURVE_POINTS points, the first and last among them: more cannot be seen."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return list(zip(x[keep].tolist(), y[keep].tolist(), strict=True))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
