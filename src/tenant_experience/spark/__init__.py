"""BuildFeatures on Spark: the second :class:`ProcessingEngine`. Only this room imports pyspark."""

__all__ = ["cluster", "engine", "instances", "session"]
