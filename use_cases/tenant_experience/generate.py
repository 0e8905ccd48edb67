"""Messages of 14,000 tenants of six portfolios, who are a continuum as in real ones; nobody is real."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from demo import generate_events


def generate(folder: Path, as_of: datetime, seed: int) -> None:
    """Write the exports of five systems, and what became of tenants. The same arguments give the same bytes.

    Args:
        folder: made when missing.
        as_of: the events span the years before it and the day after it.
        seed: seed of everything random.
    """
    generate_events.generate(folder, as_of=as_of, seed=seed, outcomes=True)
