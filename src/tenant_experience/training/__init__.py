"""Fitting models: the dataset that trainers get, calibration, and many fits side by side.

The folder ``trainers`` has one module for each trainer.
"""

__all__ = ["booster_format", "fit", "fit_pool", "levels", "trainer", "training", "tuning_request"]
