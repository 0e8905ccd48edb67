"""What a measurement prints."""

from __future__ import annotations

import sys


def tell(line: str) -> None:
    """Print a line at once, also into a pipe: a measurement takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
