"""What figures of the report are called, and what they say in sentences that need no statistics."""

from __future__ import annotations

METRIC_MEANINGS = {
    name: {"name": title, "meaning": meaning}
    for name, title, meaning in (
        (
            "roc_auc",
            "ROC AUC",
            "Chance that a tenant of the class gets a higher probability than another; 0.5 is guessing.",
        ),
        ("pr_auc", "PR AUC", "Precision averaged over all thresholds; guessing gives the share of the class."),
        ("log_loss", "Log loss", "Punishes confident mistakes: 0 is perfect, guessing half and half gives 0.69."),
        ("brier", "Brier score", "Mean squared error of the probability: 0 is perfect, half and half gives 0.25."),
        ("f1", "F1", "Balance of precision and recall: 1 is perfect."),
        ("precision", "Precision", "Of the tenants called so, the share that is."),
        ("recall", "Recall", "Of the tenants that are so, the share that is called so."),
        ("accuracy", "Accuracy", "Share of right answers."),
        ("calibration_error", "Calibration error", "How far a probability is from what comes true, on average."),
        ("rmse", "Root mean squared error", "How far a number is off; large misses count more."),
        ("mae", "Mean absolute error", "How far a number is off, on average."),
        ("r2", "R squared", "Share of the differences between tenants that is foretold: 1 is all, 0 none."),
    )
}
# The one figure that stands at the top, of each task.
HEADLINES = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "r2"}
# Those of parts of the tenants.
SLICE_METRICS = {
    "binary": ("roc_auc", "accuracy"),
    "multiclass": ("accuracy", "log_loss"),
    "regression": ("rmse", "r2"),
}
# Of which the curve of missing features is drawn.
MISSING_METRICS = {"binary": "accuracy", "multiclass": "accuracy", "regression": "rmse"}
SLICE_MEANINGS = {
    "portfolio": "By portfolio",
    "exposure": "By how long tenants are known",
    "channel": "By the channel a tenant uses most",
}
FAIRNESS_MEANINGS = {"exposure": "days a tenant is known", "size": "size of the portfolio"}
VERDICTS = {
    "better": "The new model is better than the live one",
    "equal": "The new model is as good as the live one: the difference is small, or may be chance",
    "worse": "The new model is worse than the live one",
    "not_comparable": "The new model cannot be compared with the live one",
}
EFFECTS = {
    "binary": "mean effect on the log-odds",
    "multiclass": "mean effect on the log-odds of the answer",
    "regression": "mean effect on the number",
}
ASPECTS = {
    "service": ("Service", "How the tenant was served: waiting times, calls answered, escalations, tone."),
    "demand": ("Demand", "How much the tenant asked for. Much demand is no fault of the service."),
    None: ("Features", ""),
}
METHODS = {"kmeans": "KMeans", "gaussian_mixture": "a Gaussian mixture", "ward": "Ward's method"}
