"""Outcomes of generated tenants: surveys, complaints, renewals and moves, by how good or bad a time each has."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

OUTCOMES_FILE = "outcomes.csv"
_DAYS = 365
# For those who have a good time and those who have a bad one; for all others, between the two.
_ANSWERS_SURVEY = 0.25
_SCORES = ((0.03, 0.07, 0.2, 0.4, 0.3), (0.25, 0.35, 0.25, 0.1, 0.05))
_COMPLAINS = (0.02, 0.12)
_DECIDES, _MOVES_OUT = 0.4, (0.15, 0.4)
_UNKNOWN_TENANTS = 3


def write_outcomes(
    folder: Path, tenant_ids: npt.NDArray[np.str_], dissatisfied: npt.NDArray[np.float64], as_of: datetime, seed: int
) -> int:
    """Write ``outcomes.csv`` with what became of tenants in the year before ``as_of``; returns how many rows it has.

    A few rows are of people whom no other file names, and one has a score that is none, as in real exports.

    Args:
        folder: of the event files, which do not change.
        tenant_ids: shape (tenants,).
        dissatisfied: from 0 for a good time to 1 for a bad one, shape (tenants,).
        as_of: with a time zone.
        seed: seed of everything random.
    """
    rng = np.random.default_rng([seed, len(tenant_ids), 26])
    rows = sorted(
        (tenant, moment.strftime("%Y-%m-%dT%H:%M:%SZ"), kind, value)
        for tenant, moment, kind, value in _outcomes(rng, tenant_ids, dissatisfied, as_of.astimezone(UTC))
    )
    with (folder / OUTCOMES_FILE).open("w", newline="") as file:
        written = csv.writer(file)
        written.writerow(("tenant_id", "at", "kind", "value"))
        written.writerows(rows)
    return len(rows)


def _outcomes(
    rng: np.random.Generator, tenant_ids: npt.NDArray[np.str_], dissatisfied: npt.NDArray[np.float64], as_of: datetime
) -> Iterator[tuple[str, datetime, str, str]]:
    def moment() -> datetime:
        return as_of - timedelta(days=float(rng.uniform(1, _DAYS)))

    for tenant, part in zip(tenant_ids.tolist(), dissatisfied.tolist(), strict=True):
        mix = np.array([1 - part, part])
        if rng.random() < _ANSWERS_SURVEY:
            yield tenant, moment(), "survey", str(1 + int(rng.choice(5, p=mix @ _SCORES)))
        if rng.random() < mix @ _COMPLAINS:
            yield tenant, moment(), "complaint", ""
        if rng.random() < _DECIDES:
            yield tenant, moment(), "move_out" if rng.random() < mix @ _MOVES_OUT else "renewal", ""
    for number in range(_UNKNOWN_TENANTS):
        yield f"FORMER-{number}", moment(), "survey", "3"
    yield tenant_ids.tolist()[0], moment(), "survey", "11"
