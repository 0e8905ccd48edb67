"""Numbers about numbers, without a model or a use case: ranks, intervals, transforms and splits."""

__all__ = ["arrays", "intervals", "ranks", "splitting", "transforms"]
