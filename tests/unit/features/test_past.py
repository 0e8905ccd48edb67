"""Features of earlier periods: as if they had been built then, and only where the log reaches back."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from demo.generate_events import generate
from tenant_experience.erasure.file import Eraser
from tenant_experience.erasure.id import ErasedId
from tenant_experience.erasure.mapping import RawMapping
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.pipeline.batch import Folders
from tenant_experience.pipeline.build_features import build_features
from tenant_experience.pseudonyms import pseudonym
from tenant_experience.use_case.source import Source
from tests.support.feature_job import FeatureJob
from tests.support.parameters import mostly_slow

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = timedelta(days=365)
TENANTS = 700


def manifest(as_of: datetime = AS_OF) -> dict[str, str]:
    return {"as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}"}


def built(folder: Path, days_of_log: int, as_of: datetime = AS_OF) -> tuple[FeatureJob, dict]:
    job = FeatureJob(folder)
    generate(job.raw, as_of=AS_OF, tenants=TENANTS, days_of_log=days_of_log, margin="wide")
    switched_off = (job.use_case / "use_case.yaml").read_text().replace("freshness_days: 45", "freshness_days: null")
    (job.use_case / "use_case.yaml").write_text(switched_off)
    outcome = job.run(manifest(as_of))
    assert outcome["status"] == "ok", outcome
    return job, outcome


def rows(job: FeatureJob, name: str) -> pa.Table:
    return pq.read_table(job.output("features") / name)


@pytest.fixture(scope="module")
def three_years(tmp_path_factory: pytest.TempPathFactory) -> FeatureJob:
    job, outcome = built(tmp_path_factory.mktemp("three"), days_of_log=1_100)
    assert outcome["past_periods"] == [365, 730]
    return job


@pytest.mark.parametrize("periods", mostly_slow([1, 2], kept=[1]))
def test_they_are_what_was_built_then(three_years: FeatureJob, periods: int, tmp_path: Path) -> None:
    then, _ = built(tmp_path, 1_100, AS_OF - periods * WINDOW)
    past = rows(three_years, f"past/{365 * periods}/features.parquet")
    assert past.equals(rows(then, "features.parquet"))
    assert past.num_rows > 300


def test_they_know_nothing_of_what_happened_since(three_years: FeatureJob, tmp_path: Path) -> None:
    """Without the tickets, requests and calls of the last year, the same."""
    job = FeatureJob(tmp_path)
    generate(job.raw, as_of=AS_OF, tenants=TENANTS, days_of_log=1_100, margin="wide")
    tables = sorted(job.raw.glob("*.csv*"))
    assert len(tables) > 1
    for path in tables:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", newline="") as file:
            header, *lines = csv.reader(file)
        opened = next(place for place, name in enumerate(header) if name in ("opened_at", "Opened"))
        kept = [line for line in lines if len(line) <= opened or line[opened][:10] < "2025-11-01"]
        assert 0 < len(kept) < len(lines)
        with opener(path, "wt", newline="") as file:
            csv.writer(file).writerows([header, *kept])
    assert job.run(manifest())["past_periods"] == [365, 730]
    assert rows(job, "past/365/features.parquet").equals(rows(three_years, "past/365/features.parquet"))
    assert not rows(job, "features.parquet").equals(rows(three_years, "features.parquet"))


@pytest.mark.parametrize(
    ("days_of_log", "expected"),
    mostly_slow([(420, []), (725, [365]), (800, [365]), (1_095, [365, 730])], kept=[1]),
)
def test_only_periods_that_the_log_covers(days_of_log: int, expected: list[int], tmp_path: Path) -> None:
    job, outcome = built(tmp_path, days_of_log)
    assert outcome["past_periods"] == expected
    assert sorted(int(path.name) for path in job.output("features").glob("past/*")) == expected


def test_a_few_stray_events_are_no_log(tmp_path: Path) -> None:
    job = FeatureJob(tmp_path)
    generate(job.raw, as_of=AS_OF, tenants=TENANTS, margin="wide")
    columns = "event_id tenant_id portfolio_id channel opened_at direction first_response_at resolved_at answered"
    names = [*columns.split(), "escalated", "sentiment"]
    lines = (f"S{i},T{i:06d},Elm Court,ticket,2020-01-0{i + 1}T10:00:00Z,,,,,false," for i in range(9))
    stray = "\n".join([",".join(names), *lines]) + "\n"
    (job.raw / "stray.csv").write_text(stray)
    outcome = job.run(manifest())
    assert (outcome["status"], outcome.get("past_periods")) == ("ok", []), outcome
    assert outcome["quarantined"] < 0.01 * outcome["rows"]


def rebuilt(three_years: FeatureJob, folder: Path, **options: Any) -> tuple[Outcome, Path]:
    """The same batch once more, in this process."""
    folders = {name: folder / name for name in ("features", "quarantine", "reports")}
    for each in folders.values():
        each.mkdir(parents=True)
    outcome = build_features(
        Folders(raw=three_years.raw, use_case=three_years.use_case, previous=folder / "none", **folders),
        release="r1",
        use_case_name=three_years.name,
        requested_at=AS_OF + timedelta(days=19),
        **options,
    )
    return outcome, folders["features"]


def test_a_release_of_history_alone_looks_no_further_back(three_years: FeatureJob, tmp_path: Path) -> None:
    """`tenx backfill` asks for another as_of: nothing is trained, so nothing is looked back on."""
    outcome, features = rebuilt(three_years, tmp_path, as_of=AS_OF)
    assert outcome.figures["past_periods"] == []
    assert not (features / "past").exists()


def test_pseudonyms_replace_the_ids_in_them(three_years: FeatureJob, tmp_path: Path) -> None:
    outcome, features = rebuilt(three_years, tmp_path, pseudonym_key=b"k" * 32)
    assert outcome.figures["past_periods"] == [365, 730]
    for days in (365, 730):
        written = pq.read_table(features / f"past/{days}/features.parquet")["tenant_id"].to_pylist()
        ids = rows(three_years, f"past/{days}/features.parquet")["tenant_id"].to_pylist()
        assert sorted(written) == sorted(pseudonym(b"k" * 32, each) for each in ids)


def test_an_erasure_finds_them(three_years: FeatureJob, tmp_path: Path) -> None:
    path, name = three_years.output("features") / "past/365/features.parquet", "features/r1/past/365/features.parquet"
    before = pq.read_table(path)
    tenant = before["tenant_id"].to_pylist()[7]
    erased, source = (
        ErasedId.of(tenant, case="sensitive"),
        Source.model_validate({"kind": "table", "columns": {"tenant_id": "tenant_id"}}),
    )
    with RawMapping.open(source, "tenant_id", erased) as mapping:
        found = Eraser(erased, "tenant_id", mapping, is_raw=False).erase(path, name, tmp_path / "rewritten")
    assert (found.removed, found.left) == (1, "rewritten")
    left = pq.read_table(tmp_path / "rewritten")["tenant_id"].to_pylist()
    assert left == [each for each in before["tenant_id"].to_pylist() if each != tenant]
