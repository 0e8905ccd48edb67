"""Drift of the real households: what must be named, and what must not be. CI does not have this table."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.data_quality._level import Column
from tenant_experience.data_quality._shift import shift
from tenant_experience.data_quality.feature_quality import NumberDescription
from tenant_experience.data_quality.shift_warnings import shift_warnings
from tests.support.engine_use_cases import HOUSEHOLDS
from tests.support.feature_job import FeatureJob
from tests.support.generated_tenants import REAL_TABLE, real_table, shipped_use_case
from tests.support.requirements import needs_shared_data

pytestmark = [needs_shared_data(REAL_TABLE.name), pytest.mark.slow]

PORTFOLIOS = [f"Portfolio {number}" for number in range(8)]
COUNTS = ("work_order_count", "escalation_count", "total_maintenance_tickets", "total_tickets", "outbound_call_count")
HOURS = ("mean_first_response_hr", "mean_full_resolution_hr")
MANIFEST = {"source": "tenant_table"}


def households() -> pa.Table:
    """The real table, dealt into eight portfolios of different size."""
    table = pq.read_table(REAL_TABLE)
    places = np.random.default_rng(0).choice(8, len(table), p=np.arange(8, 0, -1) / 36)
    return table.append_column("portfolio", [[PORTFOLIOS[place] for place in places]])


def times(table: pa.Table, names: tuple[str, ...], factor: float, portfolio: str | None = None) -> pa.Table:
    there = np.array(table["portfolio"].to_pylist()) == portfolio if portfolio else np.ones(len(table), dtype=bool)
    for name in names:
        column = np.where(there, factor * table[name].to_numpy(), table[name].to_numpy())
        table = table.set_column(table.column_names.index(name), name, [column])
    return table


def release(folder: Path, table: pa.Table, live: Path | None = None) -> FeatureJob:
    job = FeatureJob(folder, use_case=str(HOUSEHOLDS))
    pq.write_table(table, job.raw / "households.parquet")
    if live:
        shutil.copytree(live, folder / "processing/input/previous")
    outcome = job.run(MANIFEST)
    assert outcome["status"] == "ok", outcome
    return job


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(tmp_path_factory.mktemp("live"), households()).output("features")


def test_the_households_over_505_days_instead_of_506_pass_without_a_word(live: Path, tmp_path: Path):
    """Their counts are whole numbers in 506 days: bins that ended at them found a PSI of 1.12 and refused them."""
    job = release(tmp_path, times(households(), COUNTS, 506 / 505), live)
    quality = job.read("reports/data_quality.json")
    assert quality["warnings"] == []
    assert max(quality["features"][name]["shift"]["psi"] for name in COUNTS) < 0.02


def test_hours_half_as_long_again_are_named_with_their_size(live: Path, tmp_path: Path):
    quality = release(tmp_path, times(households(), HOURS, 1.5), live).read("reports/data_quality.json")
    for words, warning in zip(
        ("hours until the matter is resolved", "hours until the first response"), quality["warnings"], strict=True
    ):
        assert warning.startswith(f"{words} rose to 1.50 times compared with the live release, in all 8 portfolios")
    first = quality["features"]["mean_first_response_hr"]["shift"]
    low, high = first["level"]["change"]["interval"]
    assert 1.4 < low < 1.5 < high < 1.6
    assert first["psi"] < 0.25  # which alone said nothing


@pytest.mark.parametrize("portfolio", [PORTFOLIOS[0], PORTFOLIOS[7]])
def test_one_portfolio_alone_is_named(live: Path, tmp_path: Path, portfolio: str):
    changed = times(households(), HOURS, 1.5, portfolio)
    warnings = release(tmp_path, changed, live).read("reports/data_quality.json")["warnings"]
    assert len(warnings) == 2
    for warning in warnings:
        assert f" times in '{portfolio}' (1." in warning
        assert "over all tenants the size is 1." in warning


@pytest.mark.parametrize("number", [60, 200, 1_000, 5_000])
def test_halves_of_the_same_households_are_named_in_at_most_5_percent(number: int):
    use_case, table = shipped_use_case(), real_table()
    chance = np.random.default_rng(number)
    places = chance.integers(0, 8, len(table))
    named = 0
    for _ in range(200):
        drawn = chance.integers(0, len(table), number)
        halves = drawn[: number // 2], drawn[number // 2 :]
        features = {}
        for name in use_case.features:
            then, now = (Column(table.column(name)[half], places[half]) for half in halves)
            transform = use_case.features[name].transform
            moved = shift(then, now, PORTFOLIOS, transform, len(use_case.features))
            features[name] = NumberDescription("number", 0.0, transform, {}, None, moved)
        named += bool(shift_warnings(features, None, use_case))
    assert named <= 10
