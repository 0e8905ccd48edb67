"""How many threads numerical libraries may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits numerical libraries to one thread. Looking them up takes a while, so enter this once around many fits."""
    import sklearn.cluster  # noqa: F401  (only what is loaded can be limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
