"""A use case of loans: a client has several rows, and the time of a loan is its row's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.written_use_case import SETTINGS, Written

COLUMNS = {"client": "c", "branch": "b", "as_of": "granted", "amount": "a", "colour": "k", "outcome": "o"}
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def loans(base: Path, clients: int = 150, columns: dict[str, str] | None = None, **changes: Any) -> Written:
    """One to six loans of each client, whose amount says much about the outcome; one in eleven has no outcome yet.

    Args:
        base: an empty folder.
        clients: how many.
        columns: further columns of the source: ours -> the file's. The file also has ``city``, of which there are 30.
        changes: keys of ``use_case.yaml``.
    """
    drawn = np.random.default_rng(5)
    rows: dict[str, list[Any]] = {name: [] for name in (*COLUMNS.values(), "city")}
    for client in range(clients):
        for loan in range(1 + client % 6):
            amount = round(float(drawn.normal(100, 30)), 3)
            leaves = drawn.random() < 1 / (1 + np.exp((100 - amount) / 15))
            moment = FIRST + timedelta(days=140 * loan + client % 97, seconds=client)
            values = (
                f"CLIENT-{client:04}",
                "north",
                f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                "" if client % 13 == 0 and loan == 0 else amount,
                ["red", "blue", ""][client % 3],
                "" if (client + loan) % 11 == 0 else ("leaves" if leaves else "stays"),
                f"city {client % 30}",
            )
            for name, value in zip(rows, values, strict=True):
                rows[name].append(value)
    settings = {**SETTINGS, "examples": "several", **changes}
    return Written(base, settings, {"kind": "table", "columns": {**COLUMNS, **(columns or {})}}, rows)
