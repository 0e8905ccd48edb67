"""BuildFeatures on Spark: the second :class:`ProcessingEngine`. Only here is pyspark imported."""
