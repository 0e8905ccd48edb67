"""Waiting for a condition, for as long as a busy machine may need."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

LIMIT_S = 600.0
_POLL_S = 0.1


def until(condition: Callable[[], Any], otherwise: str, *, every: float = _POLL_S) -> None:
    """Wait until a condition holds, looking once in ``every`` seconds; ``otherwise`` says what went wrong."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{otherwise} within {LIMIT_S:.0f} s"
        time.sleep(every)
