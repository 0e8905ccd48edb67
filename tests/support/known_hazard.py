"""Logs of tickets with a known hazard: who has slow answers has escalations, however many tickets that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.written_use_case import AS_OF, SETTINGS, Written

WITHIN = 30
RISK: dict[str, Any] = {"event": "escalation", "where": "escalated", "within": f"{WITHIN}d", "count": ["tickets"]}
COLUMNS = ("event_id", "client", "branch", "opened_at", "hours", "escalated", "recorded_at")
SQL = """
SELECT
    client,
    max(branch) AS branch,
    count(DISTINCT event_id) AS tickets,
    avg(hours) AS hours,
    CASE WHEN count(DISTINCT event_id) > 3 THEN 'often' ELSE 'seldom' END AS asks
FROM events
WHERE opened_at < $as_of AND opened_at >= $window_start AND coalesce(recorded_at < $as_of, true)
GROUP BY client
"""


@dataclass(frozen=True)
class Row:
    """A row of the log: a ticket, or that it was escalated. Times are in days before ``AS_OF``."""

    ticket: str
    client: str
    opened: float
    hours: float
    escalated: bool
    recorded: float


def tickets(clients: int = 500, days: int = 260, seed: int = 0, share: float = 0.5) -> list[Row]:
    """A log. That a ticket was escalated is recorded one to four days after it was opened.

    Args:
        clients: how many.
        days: how far the log goes back.
        seed: of everything random.
        share: of the tickets of slow clients that are escalated; others have no escalation.
    """
    rng = np.random.default_rng(seed)
    found = []
    for client in range(clients):
        name, slow = f"C{client}", client % 3 == 0
        for number in range(int(rng.poisson(days / 30)) + 1):
            opened, hours = float(rng.uniform(0.01, days)), float(rng.integers(1, 20)) + 20 * slow
            found.append(Row(f"E{client}-{number}", name, opened, hours, False, opened))
            if slow and rng.random() < share:
                found.append(Row(f"E{client}-{number}", name, opened, hours, True, opened - rng.uniform(1, 4)))
    return [row for row in found if row.recorded > 0]


def written(base: Path, rows: list[Row], **changes: Any) -> Written:
    """A use case with such a log."""
    settings = {
        **SETTINGS,
        "events": {"time": "opened_at", "columns": {"hours": {"type": "number"}, "escalated": {"type": "boolean"}}},
        "features": {"tickets": {"minimum": 0}, "hours": {"minimum": 0}},
        "labels": {"from": "column", "column": "asks", "classes": ["seldom", "often"], "positive": "often"},
        "history": {"window_days": 120, "minimum_days": 30, "provisional_below": 60},
        "risk": RISK,
        **changes,
    }
    lines = [
        (row.ticket, row.client, "north", moment(row.opened), row.hours, row.escalated, moment(row.recorded))
        for row in rows
    ]
    columns = dict(zip(COLUMNS, map(list, zip(*lines, strict=True)), strict=True))
    return Written(base, settings, {"kind": "events", "columns": {name: name for name in COLUMNS}}, columns, SQL)


def moment(days: float) -> str:
    """So many days before ``AS_OF``."""
    return f"{AS_OF - timedelta(days=days):%Y-%m-%dT%H:%M:%S.%fZ}"
