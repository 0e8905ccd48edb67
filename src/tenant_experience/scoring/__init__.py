"""Answering for many at once: score batches, and everybody whose features are live."""

__all__ = [
    "answers",
    "manifest",
    "partitions",
    "plan",
    "prepare",
    "publish",
    "served_rows",
]
