"""BuildFeatures on Spark: the second :class:`ProcessingEngine`. Only here is pyspark imported."""

__all__ = ["cluster", "engine", "instances", "session"]
