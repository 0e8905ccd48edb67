"""Groups of tenants: finds, checks, names and describes them, and keeps them in ``grouping.json``."""

__all__ = [
    "clustering",
    "column_labels",
    "evidence",
    "file",
    "grouping",
    "markers",
    "next_period",
    "profile",
    "split",
    "uncertainty",
]
