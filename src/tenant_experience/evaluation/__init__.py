"""Evaluates a model on rows that it has not seen: metrics with intervals, gates, the champion, slices, fairness."""

__all__ = [
    "champion",
    "evaluation",
    "event_risk",
    "gates",
    "metrics",
    "missing_features",
    "model_card",
    "outcome_validation",
    "partition",
    "pooling",
    "scored_rows",
    "slices",
    "smoke_samples",
    "supervised_score",
]
