"""What is said of models of the days until an event: how many have not seen one, and how that was handled."""

from __future__ import annotations

import numpy as np

from tenant_experience.evaluation.metrics import CalibrationBin, PredictionBand, calibration_table, prediction_bands
from tenant_experience.evaluation.scored_rows import ScoredRows
from tenant_experience.models.encoding import Matrix
from tenant_experience.models.scoring import Scorer
from tenant_experience.statistics.survival import expected_within, shares_within


def censoring_sentences(scorer: Scorer, rows: ScoredRows) -> list[str]:
    """How many times are unknown, and what was made of them; empty for other models."""
    times = scorer.manifest.time_to_event
    if times is None or rows.horizon is None:
        return []
    reached = float((rows.labels >= rows.horizon).mean())
    handled = (
        f"The model ({times.distribution} accelerated failure time) learns from them that the time is longer."
        if times.distribution
        else f"The model learns times counted up to {times.window_days} days instead, which are known of everybody, so "
        "its answer is a mean of such times."
    )
    return [
        f"{times.censored:.1%} of the examples that the model was trained on are censored: there was no such event by "
        f"the end of the log. {handled} All figures count times up to {times.window_days} days, which "
        f"{reached:.1%} of the test part reach."
    ]


def time_bands(scorer: Scorer, rows: ScoredRows, matrix: Matrix) -> list[PredictionBand]:
    """Mean days predicted and true, counted up to the window, by tenths of the prediction."""
    times = scorer.manifest.time_to_event
    if times is None or times.distribution is None or times.scale is None:
        return prediction_bands(rows.labels, rows.numbers)
    margins = scorer.margins(matrix).astype(np.float64)
    expected = expected_within(margins, times.window_days, times.distribution, times.scale)
    return prediction_bands(rows.labels, expected)


def time_calibration(scorer: Scorer, rows: ScoredRows, matrix: Matrix) -> list[CalibrationBin]:
    """The predicted probability of an event within the window, by tenths, beside the share that has seen one.

    The share is that of Kaplan and Meier, because everybody is followed to the end of the window. Models without a
    distribution give no probability.
    """
    times = scorer.manifest.time_to_event
    if times is None or times.distribution is None or times.scale is None or rows.horizon is None:
        return []
    margins = scorer.margins(matrix).astype(np.float64)
    probability = shares_within(margins, times.window_days, times.distribution, times.scale)
    return calibration_table(rows.labels < rows.horizon, probability)
