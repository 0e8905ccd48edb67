"""Purchases with a known truth, and a use case whose labels are the days until the next one."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tenant_experience.data_quality.report import DataQuality
from tenant_experience.intake.duckdb_session import open_session
from tenant_experience.intake.engine import DuckDbEngine
from tenant_experience.intake.files import find_raw_files
from tenant_experience.pipeline.batch import Batch, Folders
from tenant_experience.pipeline.build_features import read_batch
from tenant_experience.pipeline.computing import compute_features
from tenant_experience.statistics.arrays import Floats
from tests.support.written_use_case import AS_OF, Written

WINDOW, CUT_OFFS = 60, 3
LABEL = "days_to_next_purchase"
EVENTS: dict[str, Any] = {
    "time": "sold_at",
    "columns": {
        "quantity": {"type": "integer", "required": True},
        "price": {"type": "number"},
        "paid_at": {"type": "time", "follows_event": True, "optional": True},
    },
}
LABELS: dict[str, Any] = {
    "from": "events",
    "column": LABEL,
    "window": f"{WINDOW}d",
    "where": "quantity > 0",
    "cut_offs": CUT_OFFS,
}
SETTINGS: dict[str, Any] = {
    "name": "written",
    "record_id": "client",
    "partition_column": "branch",
    "default_source": "export",
    "events": EVENTS,
    "features": {
        "purchases": {"minimum": 0},
        "spent": {},
        "recency_days": {"minimum": 0},
        "known_days": {"minimum": 0},
    },
    "labels": LABELS,
    "gates": {"pooled_tenants": 20, "freshness_days": None, "roc_auc": None, "calibration_error": None},
}
COLUMNS = ("client", "branch", "sold_at", "quantity", "price", "paid_at")
SOURCE: dict[str, Any] = {"kind": "events", "columns": {name: name for name in COLUMNS}, "optional": ["paid_at"]}
SQL = """
SELECT
    client,
    max(branch) AS branch,
    count(CASE WHEN quantity > 0 THEN 1 END) AS purchases,
    sum(quantity * price) AS spent,
    date_diff('second', max(sold_at), $as_of) / 86400.0 AS recency_days,
    date_diff('second', min(sold_at), $as_of) / 86400.0 AS known_days
FROM events
WHERE sold_at < $as_of
GROUP BY client
"""


@dataclass(frozen=True)
class Purchases:
    """A log of purchases, and what no log says: how often each client buys.

    Attributes:
        client: of each purchase.
        sold_at: seconds since 1970.
        quantity: below 0 for a return.
        price: of one piece.
        mean_days: client -> the mean number of days between its purchases.
    """

    client: np.ndarray
    sold_at: np.ndarray
    quantity: np.ndarray
    price: Floats
    mean_days: dict[str, float]

    def rows(self) -> dict[str, list[Any]]:
        """The lines of the export, by column."""
        times = [f"{datetime.fromtimestamp(each, UTC):%Y-%m-%dT%H:%M:%SZ}" for each in self.sold_at.tolist()]
        return {
            "client": self.client.tolist(),
            "branch": ["north"] * len(times),
            "sold_at": times,
            "quantity": self.quantity.tolist(),
            "price": [f"{each:.2f}" for each in self.price.tolist()],
        }


def purchases(clients: int, days: int = 420, seed: int = 1, as_of: datetime = AS_OF) -> Purchases:
    """Poisson processes: the time until the next purchase of a client is exponential, whatever was before."""
    chance = np.random.default_rng(seed)
    mean = 12 * np.exp(chance.normal(1.2, 1.0, clients))
    counts = chance.poisson(days / mean)
    client = np.repeat([f"C{number:05d}" for number in range(clients)], counts)
    seconds = chance.uniform(0, days * 86_400, counts.sum()).astype(np.int64)
    start = int((as_of - timedelta(days=days)).timestamp())
    order = chance.permutation(len(client))
    return Purchases(
        client[order],
        (start + seconds)[order],
        np.where(chance.random(len(client)) < 0.05, -1, chance.integers(1, 5, len(client))),
        chance.uniform(1, 50, len(client)),
        {f"C{number:05d}": float(each) for number, each in enumerate(mean)},
    )


def written(base: Path, rows: dict[str, list[Any]], sql: str = SQL, **changes: Any) -> Written:
    """The use case and a batch of these lines."""
    columns = {name: name for name in (*COLUMNS, "event_id", "recorded_at") if name in rows}
    return Written(base, {**SETTINGS, **changes}, {**SOURCE, "columns": columns, "optional": []}, rows, sql)


def examples(written: Written, as_of: datetime = AS_OF) -> list[dict[str, Any]]:
    """What BuildFeatures learns from, in the order of cut-offs and clients."""
    raw = written.base / "raw"
    raw.mkdir(exist_ok=True)
    shutil.copy(written.export, raw)
    (raw / "manifest.json").write_text(json.dumps({"as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}"}))
    for name in ("quarantine", "reports", "features"):
        (written.base / name).mkdir(exist_ok=True)
    folders = Folders(
        raw,
        written.folder,
        written.base / "none",
        *(written.base / each for each in ("features", "quarantine", "reports")),
    )
    batch = Batch.open(folders, "written", AS_OF)
    with open_session(raw, folders.quarantine, time_zone=batch.source.time_zone) as (connection, scratch):
        engine = DuckDbEngine(connection, scratch)
        files = find_raw_files(raw, batch.source, scratch, batch.chosen)
        read_batch(engine, batch, files, folders, scratch, DataQuality(release="r1"))
        compute_features(engine, batch, folders)
        found: list[dict[str, Any]] = (
            connection.sql("FROM examples ORDER BY as_of, client").to_arrow_table().to_pylist()
        )
        return found
