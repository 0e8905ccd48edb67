"""Several partitions: large portfolios have a model of their own, and each tenant is answered by the right one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import boto3
import pyarrow.parquet as parquet
import pytest

from demo.generate_events import generate
from operations.batch import RawBatch
from operations.releases import FinishedRelease
from tests.support.flow import Flow

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.slow
def test_large_portfolios_get_models_of_their_own(flow: Flow, first: FinishedRelease, tmp_path: Path) -> None:
    generate(tmp_path / "events", as_of=AS_OF, tenants=8000, portfolios=2, seed=4, margin="wide")
    manifest = {"source": "events", "as_of": AS_OF.strftime("%Y-%m-%dT%H:%M:%SZ"), "models": "per_partition"}
    work = RawBatch("own-models", tuple(sorted((tmp_path / "events").iterdir())), manifest)
    done = flow.release(work)
    assert done.execution["status"] == "SUCCEEDED", done.execution.get("cause")

    packages = flow.packages(done.release)
    groups = {package["arn"].split("/")[1] for package in packages}
    assert {package["status"] for package in packages} == {"Approved"}
    assert len(packages) == len(groups) == 3
    live = flow.live()
    assert live is not None
    assert set(live["models"].values()) == {done.release}
    assert "all" in live["models"]

    boto3.client("s3").download_file(
        flow.bucket, f"features/{done.release}/features.parquet", str(tmp_path / "features.parquet")
    )
    rows = [
        row for row in parquet.read_table(tmp_path / "features.parquet").to_pylist() if row["history"] == "sufficient"
    ]
    portfolios = sorted({row["portfolio_id"] for row in rows})
    assert len(portfolios) == 2
    # The last by id: other releases know the first ones as of later days, and those features stay.
    ids = [next(row["tenant_id"] for row in rows[::-1] if row["portfolio_id"] == name) for name in portfolios]
    found = flow.predictions(ids)
    assert [row["portfolio_id"] for row in found] == portfolios
    assert {row["scale"] for row in found} == {"local"}
    assert {row["model_version"] for row in found} == {done.release}
    assert first.release != done.release
