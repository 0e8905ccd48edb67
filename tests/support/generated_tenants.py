"""Tenants with a known truth: a hidden lot, good or bad, that moves every marker a little, under noise."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tenant_experience.data_layout import partition_slug
from tenant_experience.features.table import FeatureTable
from tenant_experience.use_case.schema import UseCase, load_use_case
from tests.support.engine_use_cases import HOUSEHOLDS
from tests.support.places import SHARED_DATA
from tests.support.places import USE_CASE_FOLDER as SHIPPED_USE_CASE

REAL_TABLE = SHARED_DATA / "tenant_communications.parquet"
THREE_GROUPS = ["good", "opportunity", "bad"]
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


def use_case() -> UseCase:
    """The use case of the generated tenants."""
    return load_use_case(HOUSEHOLDS)


def shipped_use_case() -> UseCase:
    """The use case of the real table."""
    return load_use_case(SHIPPED_USE_CASE)


def settings_with(method: str = "kmeans", groups: int = 2, limits: Mapping[str, float] | None = None) -> dict[str, Any]:
    """use_case.yaml with another clustering."""
    settings: dict[str, Any] = yaml.safe_load((HOUSEHOLDS / "use_case.yaml").read_text())
    settings["clustering"] |= {"method": method, "groups": groups, "limits": dict(limits or {})}
    if groups == 3:
        settings["labels"]["classes"] = THREE_GROUPS
        # Costs set the threshold of two classes.
        del settings["costs"]
    return settings


def use_case_with(method: str = "kmeans", groups: int = 2, limits: Mapping[str, float] | None = None) -> UseCase:
    """The use case with another clustering."""
    return UseCase.model_validate(settings_with(method, groups, limits))


def generated_table(
    count: int,
    seed: int = 0,
    portfolios: Sequence[str] = ("all",),
    noise: float = 0.35,
    lots: int = 2,
    shares: Sequence[float] | None = None,
) -> FeatureTable:
    """``count`` tenants, half of them badly off; a tenth have no inbound calls, so no answer rate.

    Args:
        count: how many.
        seed: of everything drawn; ``true_lots`` tells the truth of the same seed.
        portfolios: taken in turn.
        noise: standard deviation of a tenant's lot around 0 (good), 1 (bad), and so on.
        lots: how many there are, each as frequent.
        shares: of each lot from the best off, when they are not as frequent.
    """
    chance = np.random.default_rng(seed)
    levels = _lots(chance, count, lots) if shares is None else chance.choice(len(shares), count, p=shares)
    lot = levels + chance.normal(0, noise, count)
    counts = {
        "work_order_count": chance.poisson(np.exp(0.8 + 0.8 * lot)),
        "escalation_count": chance.poisson(np.exp(-1.5 + 2.0 * lot)),
        "total_maintenance_tickets": chance.poisson(np.exp(0.2 + 1.3 * lot)),
        "mean_first_response_hr": chance.gamma(3, np.exp(0.4 + 1.2 * lot)),
        "mean_full_resolution_hr": chance.gamma(3, np.exp(2.0 + 1.2 * lot)),
        "total_tickets": chance.poisson(6, count),
        "answer_rate": np.clip(chance.normal(0.95 - 0.25 * lot, 0.1), 0, 1),
        "outbound_call_count": chance.poisson(3, count),
        "positive_rate": chance.beta(1, 20, count),
        "negative_rate": np.clip(chance.normal(0.02 + 0.1 * lot, 0.05), 0, 1),
    }
    values = np.column_stack([counts[name] for name in use_case().feature_names]).astype(np.float64)
    values[chance.random(count) < 0.1, use_case().feature_names.index("answer_rate")] = np.nan
    portfolio = np.asarray(portfolios)[np.arange(count) % len(portfolios)]
    return FeatureTable(
        tenant_id=np.asarray([f"T{number:06d}" for number in range(count)]),
        portfolio_id=portfolio,
        partition_slug=np.full(count, "all"),
        history=np.full(count, "sufficient"),
        may_train=np.ones(count, dtype=bool),
        values=values,
        features=tuple(use_case().feature_names),
        as_of="2026-11-01T00:00:00Z",
    )


def with_open_items(table: FeatureTable) -> FeatureTable:
    """Every fiftieth tenant waits for something."""
    waits = np.arange(len(table)) % 50 == 0
    side = {"open_count": np.where(waits, 1.0, 0.0), "oldest_open_hr": np.where(waits, 100.0, np.nan)}
    return replace(table, side=side)


def renamed(table: FeatureTable, ids: Sequence[str]) -> FeatureTable:
    """The same tenants with other ids, given in the order of the table, as ``read_features`` would read them."""
    return replace(table, tenant_id=np.asarray(ids)).in_order_of_content()


def other_ids(table: FeatureTable, key: str) -> list[str]:
    """Ids without any order: hashes of the ids."""
    return [hashlib.sha256(f"{key}{tenant_id}".encode()).hexdigest()[:12] for tenant_id in table.tenant_id.tolist()]


def true_lots(count: int, seed: int = 0) -> np.ndarray:
    """Which of the generated tenants are badly off, of two lots."""
    return np.asarray(true_levels(count, seed, 2) == 1)


def true_levels(count: int, seed: int, lots: int) -> np.ndarray:
    """The lot of each generated tenant, from 0."""
    return _lots(np.random.default_rng(seed), count, lots)


def _lots(chance: np.random.Generator, count: int, lots: int) -> np.ndarray:
    levels: np.ndarray = lots - 1 - np.floor(chance.random(count) * lots)
    return levels


def write_table(table: FeatureTable, path: Path, order: np.ndarray | None = None) -> None:
    """The table as BuildFeatures writes it, its rows in another order when wanted."""
    count = len(table)
    columns: dict[str, pa.Array] = {
        "tenant_id": pa.array(table.tenant_id.tolist()),
        "portfolio_id": pa.array(table.portfolio_id.tolist()),
        "partition": pa.array(table.partition_slug.tolist()),
        "partition_slug": pa.array(table.partition_slug.tolist()),
        "as_of": pa.array([AS_OF] * count, pa.timestamp("us", "UTC")),
        "history": pa.array(table.history.tolist()),
        "may_train": pa.array(table.may_train.tolist()),
    }
    for name in table.features:
        columns[name] = pa.array([None if np.isnan(value) else value for value in table.column(name).tolist()])
    for name in ("exposure_days", "open_count", "oldest_open_hr"):
        known = table.side.get(name, np.full(count, np.nan)).tolist()
        columns[name] = pa.array([None if np.isnan(value) else value for value in known], pa.float64())
    path.parent.mkdir(parents=True, exist_ok=True)
    arrow = pa.table(columns)
    pq.write_table(arrow if order is None else arrow.take(pa.array(order)), path)


def slower(table: FeatureTable, factor: float, portfolio: str | None = None) -> FeatureTable:
    """The same tenants, all of them or those of a portfolio: hours and escalations times a factor."""
    values = table.values.copy()
    rows = np.full(len(table), True) if portfolio is None else table.portfolio_id == portfolio
    for name in ("mean_first_response_hr", "mean_full_resolution_hr", "escalation_count"):
        values[rows, table.features.index(name)] *= factor
    return replace(table, values=values)


def write_households(table: FeatureTable, path: Path) -> None:
    """The tenants as a raw file of the source ``tenant_table``."""
    columns = {"household_id": pa.array(table.tenant_id.tolist())}
    for name in table.features:
        known = [None if np.isnan(value) else value for value in table.column(name).tolist()]
        columns[f"zd_{name}" if name in ("positive_rate", "negative_rate") else name] = pa.array(known, pa.float64())
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def write_job_inputs(
    base: Path,
    table: FeatureTable,
    partitions: Sequence[str] = ("all",),
    hyperparameters: Mapping[str, str] | None = None,
    order: np.ndarray | None = None,
    use_case_folder: Path = HOUSEHOLDS,
) -> None:
    """Lays out the inputs of ClusterTenants below ``base``, one shard with the given partitions."""
    features = base / "processing" / "input" / "features"
    write_table(table, features / "features.parquet", order)
    entry = {
        "shard": 0,
        "partitions": [
            {"partition": name, "slug": partition_slug(name), "tenants": len(table.of_partition(partition_slug(name)))}
            for name in partitions
        ],
        "hyperparameters": dict(hyperparameters or {"n_estimators": "60", "max_depth": "4"}),
    }
    (features / "partitions.json").write_text(json.dumps([entry]))
    shutil.copytree(use_case_folder, base / "processing" / "input" / "use_case", dirs_exist_ok=True)


def real_table() -> FeatureTable:
    """The real households, as the source ``tenant_table`` maps them; a feature that it does not map has no value."""
    renamed = {"tenant_id": "household_id", "positive_rate": "zd_positive_rate", "negative_rate": "zd_negative_rate"}
    source = pq.read_table(REAL_TABLE)
    ids = np.asarray(source["household_id"].to_pylist())
    order = np.argsort(ids)
    names = shipped_use_case().feature_names
    columns = [renamed.get(name, name) for name in names]
    nothing = np.full(len(ids), np.nan)
    return FeatureTable(
        tenant_id=ids[order],
        portfolio_id=np.full(len(ids), "all"),
        partition_slug=np.full(len(ids), "all"),
        history=np.full(len(ids), "sufficient"),
        may_train=np.ones(len(ids), dtype=bool),
        values=np.column_stack([source[c].to_numpy() if c in source.column_names else nothing for c in columns])[order],
        features=tuple(names),
        as_of="2026-11-01T00:00:00Z",
    ).in_order_of_content()
