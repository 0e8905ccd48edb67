"""Statistics that need neither a model nor a use case: ranks, intervals, transforms and splits."""

__all__ = [
    "arrays",
    "intervals",
    "partial_pooling",
    "ranks",
    "reliability",
    "splitting",
    "survival",
    "threads",
    "transforms",
]
