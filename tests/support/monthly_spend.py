"""Clients whose spend of twelve months either drifts or swings, which only the order of the months shows.

The spend of each month has one distribution for both kinds, so no month says anything, nor does any weighted sum of
months: what differs is how a month follows the one before.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from tenant_experience.features.table import FeatureTable
from tenant_experience.training.trainer import Dataset

STEPS = tuple(f"spend_{lag}" for lag in range(12, 0, -1))
SETTINGS: dict[str, Any] = {
    "name": "monthly_spend",
    "record_id": "client",
    "partition_column": "branch",
    "default_source": "export",
    "features": {**{name: {} for name in STEPS}, "age": {"minimum": 0}, "city": {"kind": "category"}},
    "sequences": {"spend": list(STEPS)},
    "labels": {"from": "column", "column": "habit", "classes": ["drifts", "swings"], "positive": "swings"},
    "trainer": "recurrent_network",
    "gates": {"pooled_tenants": 50, "freshness_days": None, "roc_auc": 0.9, "calibration_error": None},
}
SOURCE = {"kind": "table", "columns": {name: name for name in ("client", "branch", *STEPS, "age", "city", "habit")}}
BRANCHES, CITIES = ("east", "west"), ("Graz", "Linz", "Wels")


def spend(count: int, seed: int, missing: float = 0.03) -> tuple[np.ndarray, np.ndarray]:
    """(clients, 12) spend, oldest first, and (clients,) whether the client's swings; half of them do."""
    chance = np.random.default_rng(seed)
    swings = chance.permutation(np.arange(count) % 2)
    follows = np.where(swings == 1, -0.6, 0.6)
    months = [chance.normal(size=count)]
    for _ in STEPS[1:]:
        months.append(follows * months[-1] + 0.8 * chance.normal(size=count))
    values = 100 + 20 * (np.column_stack(months) + 0.5 * chance.normal(size=(count, 1)))
    values[chance.random(values.shape) < missing] = np.nan
    return values, swings.astype(float)


def spend_data(count: int, seed: int) -> Dataset:
    """The same as rows to train on."""
    values, swings = spend(count, seed)
    return Dataset(values.astype(np.float32), swings.astype(np.float32))


def spend_table(count: int, seed: int) -> FeatureTable:
    """The same as the features of a release, with an age and a city that say nothing."""
    values, swings = spend(count, seed)
    chance = np.random.default_rng(seed + 1)
    everything = np.column_stack([values, chance.integers(18, 90, count), chance.integers(0, 3, count)])
    return FeatureTable(
        tenant_id=np.asarray([f"K{number:05d}" for number in range(count)]),
        portfolio_id=np.asarray(BRANCHES)[np.arange(count) % 2],
        partition_slug=np.full(count, "all"),
        history=np.full(count, "sufficient"),
        may_train=np.ones(count, dtype=bool),
        values=everything.astype(float),
        features=(*STEPS, "age", "city"),
        as_of="2026-11-01T00:00:00Z",
        categories={"city": CITIES},
        label=swings,
    )


def write_spend(path: Path, count: int, seed: int) -> None:
    """The same as a CSV file for ``SOURCE``."""
    table = spend_table(count, seed)
    assert table.label is not None
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(SOURCE["columns"])
        for number, (client, branch) in enumerate(zip(table.tenant_id, table.portfolio_id, strict=True)):
            months = ["" if np.isnan(value) else f"{value:.2f}" for value in table.values[number, :12]]
            age, city = table.values[number, 12:].astype(int)
            writer.writerow(
                [client, branch, *months, age, CITIES[city], ("drifts", "swings")[int(table.label[number])]]
            )
