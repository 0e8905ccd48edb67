"""Groups of tenants: finds, checks, names and describes them, and keeps them in ``grouping.json``."""

__all__ = [
    "backtest",
    "clustering",
    "column_labels",
    "earlier_rules",
    "evidence",
    "file",
    "grouping",
    "held_rule",
    "markers",
    "next_period",
    "profile",
    "shrinkage",
    "split",
    "uncertainty",
    "yardstick",
]
