"""Generated customers in the columns of the churn export that the use case ``telecom_churn`` reads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

STATES = ("OH", "PA", "SC", "TX", "WA")
AREA_CODES = (415, 510, 806)


def write_churn(
    folder: Path,
    dimension: str,
    customers: int = 1_200,
    *,
    seed: int = 0,
    states: Sequence[str] = STATES,
    international: str = "yes",
) -> None:
    """One file of a dimension. Who calls the service often leaves; so do many of those with an international plan."""
    draw = np.random.default_rng(seed)
    calls, planned = draw.poisson(1.5, customers), draw.random(customers) < 0.3
    logit = -7 + 4 * calls + 3 * planned
    leaves = draw.random(customers) < 1 / (1 + np.exp(-logit))
    rows = []
    for number in range(customers):
        row = {
            "Dimension": dimension,
            "State": states[int(draw.integers(len(states)))],
            "Account Length": int(draw.integers(1, 200)),
            "Area Code": AREA_CODES[int(draw.integers(len(AREA_CODES)))],
            "Phone": f"{number // 10_000:03d}-{number % 10_000:04d}",
            "Int'l Plan": international if planned[number] else "no",
            "VMail Plan": "yes" if draw.random() < 0.4 else "no",
            "VMail Message": int(draw.integers(0, 400, endpoint=True)),
        }
        for part in ("Day", "Eve", "Night", "Intl"):
            row |= {
                f"{part} Mins": round(float(draw.gamma(4, 1.5)), 3),
                f"{part} Calls": int(draw.poisson(4)),
                f"{part} Charge": round(float(draw.gamma(5, 1)), 3),
            }
        rows.append(row | {"CustServ Calls": int(calls[number]), "Churn?": "True." if leaves[number] else "False."})
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{dimension}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
