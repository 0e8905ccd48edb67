"""Answering for many at once: score batches, and everybody whose features are live."""

__all__: list[str] = []
