"""Fitting models: one trainer a module, the dataset they get, calibration, and many fits side by side."""

__all__ = ["fit", "fit_pool", "levels", "trainer", "trainers", "training", "tuning_request"]
