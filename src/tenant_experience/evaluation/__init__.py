"""Evaluates a model on rows that it has not seen: metrics with intervals, gates, the champion, slices, fairness."""

__all__ = ["champion", "evaluation", "gates", "metrics", "model_card", "partition", "smoke_samples"]
