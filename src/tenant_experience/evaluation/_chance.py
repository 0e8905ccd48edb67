"""Whether the test part shows that a model knows anything: that it answers better than somebody who knows nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenant_experience.evaluation._intervals import Measured
from tenant_experience.evaluation.scored_rows import ScoredRows


def chance_warnings(rows: ScoredRows, measured: Measured, labels: Sequence[str]) -> list[str]:
    """A sentence for each way in which the model may be no better than chance.

    Args:
        rows: the test part.
        measured: its metrics and their intervals.
        labels: the names of the classes; none for numbers.
    """
    if rows.task == "regression":
        return _if_reached(
            measured,
            "r2",
            0.0,
            "R² is {value:.3f} (95% {low:.3f} to {high:.3f}): the test part does not show that the model predicts "
            "better than the mean of all {rows} values would",
            rows,
        )
    found = _if_reached(
        measured,
        "roc_auc",
        0.5,
        "ROC AUC is {value:.3f} (95% {low:.3f} to {high:.3f}), and chance gives 0.5: the test part of {rows} does not "
        "show that the model tells the classes apart",
        rows,
    )
    if rows.task == "multiclass" and labels:
        counts = np.bincount(rows.labels.astype(int), minlength=len(labels))
        commonest = int(counts.argmax())
        share = counts[commonest] / len(rows)
        found += _if_reached(
            measured,
            "accuracy",
            float(share),
            "Accuracy is {value:.3f} (95% {low:.3f} to {high:.3f}): the test part of {rows} does not show that the "
            f"model's labels are right more often than always {labels[commonest]!r}, which is right for {share:.3f}",
            rows,
        )
    return found


def _if_reached(measured: Measured, name: str, worthless: float, sentence: str, rows: ScoredRows) -> list[str]:
    """The sentence, when the lower end of a metric's interval is not above what a worthless model reaches."""
    value, bounds = measured.metrics.get(name), measured.intervals.get(name)
    if value is None or bounds is None or bounds[0] > worthless:
        return []
    said = sentence.format(value=value, low=bounds[0], high=bounds[1], rows=len(rows))
    return [f"{said}. Look for better features or more data before you approve it."]
