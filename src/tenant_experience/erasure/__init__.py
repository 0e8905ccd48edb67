"""Removes one tenant from files: archives, Parquet, JSON, CSV, HTML, and raw exports by their mapping."""

__all__ = [
    "file",
    "id",
    "mapping",
    "split_table",
]
