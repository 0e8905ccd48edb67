"""Groups of tenants: how they are found, checked, named by rule, described, and kept in ``grouping.json``."""

__all__ = ["clustering", "column_labels", "evidence", "file", "grouping", "markers", "profile", "uncertainty"]
