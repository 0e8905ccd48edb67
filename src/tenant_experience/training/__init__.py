"""Fitting models: one trainer a module, the dataset they get, calibration, and many fits side by side."""

__all__ = [
    "fit",
    "fit_pool",
    "hist_gradient_boosting",
    "levels",
    "linear",
    "trainer",
    "training",
    "tuning_request",
    "xgboost",
]
