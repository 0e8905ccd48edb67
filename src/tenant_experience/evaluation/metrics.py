"""Tables and curves of how well outputs agree with labels; figures with intervals: ``weighted_metrics``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenant_experience.evaluation._weighted_metrics import CALIBRATION_BINS, calibration_bins
from tenant_experience.statistics.arrays import Floats
from tenant_experience.statistics.intervals import Z95, wilson_interval

Labels = NDArray[np.bool_]
CURVE_POINTS = 200
PREDICTION_BANDS = 10
CANNOT_BE_TOLD = (0.2, 0.8)


def confusion(labels: Labels, probabilities: Floats, threshold: float) -> dict[str, int]:
    """How many of each label got each answer; positive is the bad group."""
    answers = probabilities >= threshold
    return {
        "true_positive": int(np.sum(labels & answers)),
        "false_positive": int(np.sum(~labels & answers)),
        "true_negative": int(np.sum(~labels & ~answers)),
        "false_negative": int(np.sum(labels & ~answers)),
    }


def calibration_table(labels: Labels, probabilities: Floats) -> list[dict[str, Any]]:
    """Per tenth of the probability: how many rows, their mean probability, and the share that is positive.

    Returns:
        A row per tenth that is not empty: from, to, tenants, mean_probability, share, low, high (95%, Wilson).
    """
    bins = calibration_bins(probabilities)
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


def answer_certainty(probability_bad: Floats) -> dict[str, Any]:
    """Of how many tenants the published P(bad) says which group they are in.

    Returns:
        tenants; cannot_be_told: how many lie between 0.2 and 0.8; share of these; histogram: a row per tenth, from, to
        and tenants.
    """
    low, high = CANNOT_BE_TOLD
    between = int(((probability_bad >= low) & (probability_bad <= high)).sum())
    counts = np.bincount(calibration_bins(probability_bad), minlength=CALIBRATION_BINS).tolist()
    return {
        "tenants": len(probability_bad),
        "cannot_be_told": between,
        "share": between / len(probability_bad),
        "histogram": [
            {"from": place / CALIBRATION_BINS, "to": (place + 1) / CALIBRATION_BINS, "tenants": tenants}
            for place, tenants in enumerate(counts)
        ],
    }


def prediction_bands(labels: Floats, predicted: Floats) -> list[dict[str, Any]]:
    """Ten bands of the prediction with as many rows each: what was predicted there, and what was true.

    Returns:
        A row per band, ascending: from, to, tenants, mean_predicted, mean_true, low, high (95% of the mean, normal).
    """
    bands = []
    for members in np.array_split(np.argsort(predicted, kind="stable"), min(PREDICTION_BANDS, len(predicted))):
        true = labels[members]
        half = Z95 * float(true.std()) / math.sqrt(len(true))
        mean = float(true.mean())
        bands.append(
            {
                "from": float(predicted[members[0]]),
                "to": float(predicted[members[-1]]),
                "tenants": len(members),
                "mean_predicted": float(predicted[members].mean()),
                "mean_true": mean,
                "low": mean - half,
                "high": mean + half,
            }
        )
    return bands


def roc_curve(labels: Labels, probabilities: Floats) -> list[tuple[float, float]]:
    """Points (false positive rate, true positive rate) for a plot."""
    from sklearn import metrics

    false_positive, true_positive, _ = metrics.roc_curve(labels, probabilities)
    return _thinned(false_positive, true_positive)


def precision_recall_curve(labels: Labels, probabilities: Floats) -> list[tuple[float, float]]:
    """Points (recall, precision) for a plot."""
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(labels, probabilities)
    return _thinned(recall[::-1], precision[::-1])


def _thinned(x: NDArray[np.floating], y: NDArray[np.floating]) -> list[tuple[float, float]]:
    """At most CURVE_POINTS points, the first and last among them: more cannot be seen."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return list(zip(x[keep].tolist(), y[keep].tolist(), strict=True))
