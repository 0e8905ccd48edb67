"""What is known of a batch's data: counts, distributions, how far features moved, the gates, and the page."""

__all__ = [
    "categories",
    "comparison",
    "describe",
    "feature_quality",
    "gates",
    "page",
    "report",
    "shift_warnings",
    "tenant_outcomes",
]
