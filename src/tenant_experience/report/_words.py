"""The names of the report's figures, and their meaning in sentences that need no statistics."""

from __future__ import annotations

from collections.abc import Mapping

from tenant_experience.use_case.words import Words

_METRIC_MEANINGS = {
    name: (title, meaning)
    for name, title, meaning in (
        (
            "roc_auc",
            "ROC AUC",
            "Chance that {a_record} of the class gets a higher probability than one outside it; 0.5 is guessing.",
        ),
        ("pr_auc", "PR AUC", "Precision, averaged over all thresholds; guessing gives the share of the class."),
        ("log_loss", "Log loss", "Punishes confident mistakes: 0 is perfect; always saying 50% gives 0.69."),
        ("brier", "Brier score", "Mean squared error of the probability: 0 is perfect; always saying 50% gives 0.25."),
        ("f1", "F1", "Balance of precision and recall: 1 is perfect."),
        ("precision", "Precision", "Share of the {records} given the label that really have it."),
        ("recall", "Recall", "Share of the {records} with the label that are found."),
        ("accuracy", "Accuracy", "Share of right answers."),
        (
            "calibration_error",
            "Calibration error",
            "Mean distance of a probability from the share that comes true, less the distance that chance alone makes.",
        ),
        (
            "concordance",
            "C-index",
            "Chance that of two {records}, the one whose event came first was told fewer days; 0.5 is guessing.",
        ),
        ("rmse", "Root mean squared error", "How far predictions are off; large errors count more."),
        ("mae", "Mean absolute error", "How far predictions are off, on average."),
        ("r2", "R squared", "Share of the differences between {records} that the model predicts: 1 is all, 0 is none."),
    )
}
# The figure at the top of the page, for each task.
HEADLINES = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "r2"}
# The figures shown for slices.
SLICE_METRICS = {
    "binary": ("roc_auc", "accuracy"),
    "multiclass": ("accuracy", "log_loss"),
    "regression": ("rmse", "r2"),
}
# The figure that the curve of missing features shows.
MISSING_METRICS = {"binary": "accuracy", "multiclass": "accuracy", "regression": "rmse"}
_SLICE_MEANINGS = {
    "portfolio": "By {partition}",
    "exposure": "By how long {records} have been known",
    "channel": "By the channel {a_record} uses most",
}
_FAIRNESS_MEANINGS = {"exposure": "days {a_record} has been known", "size": "size of the {partition}"}
VERDICTS = {
    "better": "The new model is better than the live one",
    "equal": "The new model is as good as the live one: the difference is small or may be chance",
    "worse": "The new model is worse than the live one",
    "not_comparable": "The new model cannot be compared with the live one",
}
EFFECTS = {
    "binary": "mean effect on the log-odds",
    "multiclass": "mean effect on the log-odds of the answer",
    "regression": "mean effect on the number",
}
# 0.1 more means 10.5% more days.
EFFECT_ON_TIMES = "mean effect on the natural logarithm of the days"
ASPECTS = {
    "service": ("Service", "How {records} were served: waiting times, answered calls, escalations, tone."),
    "demand": ("Demand", "How much {records} asked for. High demand is not the fault of the service."),
    None: ("Features", ""),
}
METHODS = {"kmeans": "KMeans", "gaussian_mixture": "a Gaussian mixture", "ward": "Ward's method"}


def metric_names() -> dict[str, str]:
    """Metric -> its name."""
    return {name: title for name, (title, _) in _METRIC_MEANINGS.items()}


def metric_meanings(words: Words) -> dict[str, dict[str, str]]:
    """Metric -> its name and its meaning."""
    return {
        name: {"name": title, "meaning": words.fill(meaning)} for name, (title, meaning) in _METRIC_MEANINGS.items()
    }


def slice_meanings(words: Words) -> dict[str, str]:
    """Kind of slice -> its heading."""
    return _all_in_words(_SLICE_MEANINGS, words)


def slice_names(words: Words) -> dict[str, str]:
    """Kind of slice -> what one of them is called."""
    return {**{kind: kind for kind in _SLICE_MEANINGS}, "portfolio": words.partition}


def fairness_meanings(words: Words) -> dict[str, str]:
    """Kind of band -> what it is a band of."""
    return _all_in_words(_FAIRNESS_MEANINGS, words)


def _all_in_words(texts: Mapping[str, str], words: Words) -> dict[str, str]:
    return {name: words.fill(text) for name, text in texts.items()}
