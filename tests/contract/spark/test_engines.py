"""DuckDB and Spark, held to the same rows: every feature, every figure, every refused row."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from demo.generate_events import generate
from tenant_experience.use_case.schema import load_use_case
from tests.support.awkward_events import AS_OF, EVENTS, write_awkward_events
from tests.support.cased_ids import ignore_case
from tests.support.engine_use_cases import SMALL, TRANSACTIONS
from tests.support.feature_job import FeatureJob
from tests.support.places import USE_CASE_FOLDER
from tests.support.purchases import SQL, purchases
from tests.support.purchases import written as written_purchases
from tests.support.sales_files import FAULTS, FORMATS, sale

MANIFEST = {"as_of": f"{AS_OF:%Y-%m-%dT%H:%M:%SZ}"}


class Jobs:
    """The same batch, built by both."""

    def __init__(self, folder: Path, spark_python: Path, use_case: Path = USE_CASE_FOLDER) -> None:
        name = str(use_case)
        self.duckdb = FeatureJob(folder / "duckdb", use_case=name)
        self.spark = FeatureJob(folder / "spark", "build_features_spark.py", spark_python, use_case=name)

    def run(self, manifest: dict[str, str] = MANIFEST) -> list[dict[str, Any]]:
        shutil.copytree(self.duckdb.raw, self.spark.raw, dirs_exist_ok=True)
        return [job.run(manifest) for job in (self.duckdb, self.spark)]

    def tables(self, path: str) -> list[pa.Table]:
        return [pq.read_table(job.base / "processing/output" / path) for job in (self.duckdb, self.spark)]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory, spark_python: Path) -> Jobs:
    jobs = Jobs(tmp_path_factory.mktemp("engines"), spark_python)
    write_awkward_events(jobs.duckdb.raw)
    outcomes = jobs.run()
    assert outcomes[0] == outcomes[1]
    assert outcomes[0]["status"] == "ok", outcomes[0]
    assert outcomes[0]["rows"] == EVENTS
    return jobs


@pytest.mark.slow
def test_every_feature_is_the_same(jobs: Jobs) -> None:
    duckdb, spark = (table.to_pylist() for table in jobs.tables("features/features.parquet"))
    assert len(duckdb) == len(spark) > 3_000
    names = [*load_use_case(USE_CASE_FOLDER).features, "exposure_days", "open_count", "oldest_open_hr"]
    for ours, theirs in zip(duckdb, spark, strict=True):
        assert _numbers(theirs, names) == pytest.approx(_numbers(ours, names), rel=1e-9, abs=1e-9, nan_ok=True)
        assert {key: theirs[key] for key in theirs if key not in names} == {
            key: ours[key] for key in ours if key not in names
        }


def _numbers(row: dict[str, Any], names: list[str]) -> dict[str, float]:
    return {name: float("nan") if row[name] is None else row[name] for name in names}


@pytest.mark.slow
def test_to_the_last_bit(jobs: Jobs) -> None:
    duckdb, spark = jobs.tables("features/features.parquet")
    assert spark.equals(duckdb)


@pytest.mark.slow
def test_the_features_of_earlier_periods_are_the_same(tmp_path: Path, spark_python: Path) -> None:
    """The same views and tables three times in one engine, each time of another period."""
    jobs = Jobs(tmp_path, spark_python)
    write_awkward_events(jobs.duckdb.raw)
    for job in (jobs.duckdb, jobs.spark):
        settings = yaml.safe_load((job.use_case / "use_case.yaml").read_text())
        settings["history"] = {"window_days": 100, "minimum_days": 30, "provisional_below": 60}
        (job.use_case / "use_case.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    duckdb, spark = jobs.run()
    assert duckdb == spark
    assert duckdb["past_periods"] == [100, 200]
    for days in (100, 200):
        ours, theirs = jobs.tables(f"features/past/{days}/features.parquet")
        assert theirs.equals(ours)
        assert ours.num_rows > 1_000
    ours, theirs = jobs.tables("features/risk.parquet")
    assert theirs.equals(ours)
    assert 1_000 < sum(ours["_happened"].to_pylist()) < ours.num_rows


@pytest.mark.slow
def test_the_events_are_awkward(jobs: Jobs) -> None:
    """Every feature is known for some tenants and unknown, or 0, for others; each kind of repetition is there."""
    (features, _) = jobs.tables("features/features.parquet")
    for name in load_use_case(USE_CASE_FOLDER).features:
        values = features[name].to_pylist()
        assert {None} < set(values), name
        assert len(set(values)) > 10, name
    assert set(features["history"].to_pylist()) == {"insufficient", "provisional", "sufficient"}
    quality = jobs.duckdb.read("reports/data_quality.json")
    assert min(quality[key] for key in ("duplicates_dropped", "conflicting_ids")) > 500
    assert quality["happened_again"]["resolved_at"] > 500
    assert 500 < quality["quarantined"] < 0.05 * EVENTS
    assert len(quality["rows_by_kind"]) == 6


@pytest.mark.slow
def test_the_figures_and_the_refused_rows_are_the_same(jobs: Jobs) -> None:
    assert jobs.spark.read("reports/data_quality.json") == jobs.duckdb.read("reports/data_quality.json")
    assert jobs.spark.read("features/partitions.json") == jobs.duckdb.read("features/partitions.json")
    duckdb, spark = jobs.tables("quarantine/quarantine.parquet")
    assert spark.equals(duckdb)


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_refused_in_the_same_words(tmp_path: Path, spark_python: Path) -> None:
    jobs = Jobs(tmp_path, spark_python)
    (jobs.duckdb.raw / "a.csv").write_text("event_id,tenant_id\nE1,T1\n")
    (jobs.duckdb.raw / "b.csv").write_text("household\nsecret\n")
    duckdb, spark = jobs.run()
    assert duckdb == spark
    assert (duckdb["status"], duckdb["code"]) == ("refused", "missing_column")
    assert duckdb["message"].startswith("a.csv has no column")


@pytest.mark.slow
def test_ids_that_differ_only_in_case_are_one_tenant_when_case_does_not_count(
    tmp_path: Path, spark_python: Path
) -> None:
    jobs = Jobs(tmp_path, spark_python)
    for job in (jobs.duckdb, jobs.spark):
        ignore_case(job.use_case)
    generate(jobs.duckdb.raw, as_of=AS_OF, tenants=600, seed=1, margin="wide")
    path = min(jobs.duckdb.raw.glob("*.csv"))
    path.write_text(re.sub(r"\bT(\d{6})\b", r"t\1", path.read_text()))
    outcomes = jobs.run()
    assert outcomes[0] == outcomes[1]
    assert outcomes[0]["status"] == "ok"
    for table in jobs.tables("features/features.parquet"):
        ids = table["tenant_id"].to_pylist()
        # A few generated tenants never wrote; nobody is there twice, as T and as t.
        assert len(ids) == len(set(ids)) == outcomes[0]["tenants"]
        assert {text[0] for text in ids} == {"t"}


@pytest.mark.slow
@pytest.mark.parametrize("source", ["sales", "invoices"])
def test_declared_columns_of_every_type_are_the_same(tmp_path: Path, spark_python: Path, source: str) -> None:
    jobs = Jobs(tmp_path, spark_python, TRANSACTIONS)
    days = [f"2026-11-{day:02d}T00:00:00Z" for day in range(1, 19)]
    for place, (extension, written) in enumerate(FORMATS.items()):
        good = [
            sale(invoice=f"N{n % 70}", client=f"c{n % 7}", sold=days[n % 14], quantity=str(n), unit_price=f"{n}.25")
            for n in range(place, 100)
        ]
        for row in good:
            row["Delivered"], row["Due"] = None, None
        faulty = [sale(**{column: value}) for column, value, *_ in FAULTS]
        (jobs.duckdb.raw / f"sales{extension}").write_bytes(written([*good, *faulty]))
    duckdb, spark = jobs.run({"source": source})
    assert duckdb == spark
    assert (duckdb["status"], duckdb["quarantined"]) == ("ok", len(FORMATS) * len(FAULTS))
    for path in ("features/features.parquet", "quarantine/quarantine.parquet"):
        ours, theirs = jobs.tables(path)
        assert theirs.equals(ours)
    quality = jobs.duckdb.read("reports/data_quality.json")
    assert jobs.spark.read("reports/data_quality.json") == quality
    assert (quality["identical_rows"] > 200) == (source == "sales")
    assert (quality["duplicates_dropped"] > 200) == (source == "invoices")


@pytest.mark.slow
def test_the_cases_of_an_activity_log_are_the_same(tmp_path: Path, spark_python: Path) -> None:
    jobs = Jobs(tmp_path, spark_python, TRANSACTIONS)
    for job in (jobs.duckdb, jobs.spark):
        text = (job.use_case / "sources/invoices.yaml").read_text()
        text = text.replace("kind: events", "kind: activities").replace("columns:", "columns:\n  recorded_at: Due", 1)
        (job.use_case / "sources/log.yaml").write_text(text + "combine: {price: first, order: first, paid: last}\n")
    rows = [
        sale(
            invoice=f"N{n % 70}",
            client=f"c{n % 7}",
            sold="2026-10-01",
            due=f"2026-10-{1 + n // 70 * 3:02d}",
            delivered=None,
            quantity=str(n),
            unit_price=None if n % 3 else f"{n}.25",
            order=("phone", "web shop", None)[n % 3],
        )
        for n in range(400)
    ]
    for extension, some in ((".csv", rows[::2]), (".parquet", [*rows[1::2], *rows[:50]])):
        (jobs.duckdb.raw / f"log{extension}").write_bytes(FORMATS[extension](some))
    duckdb, spark = jobs.run({"source": "log", "as_of": "2026-10-15T00:00:00Z"})
    assert duckdb == spark
    assert (duckdb["status"], duckdb["quarantined"], duckdb["tenants"]) == ("ok", 0, 7)
    ours, theirs = jobs.tables("features/features.parquet")
    assert theirs.equals(ours)
    assert ours["purchases"].to_pylist() == [10] * 7


def test_columns_that_the_sql_leaves_out_have_the_same_defaults_and_refused_records_are_the_same(
    tmp_path: Path, spark_python: Path
) -> None:
    sql = """SELECT tenant_id, CAST(count(*) AS DOUBLE) AS visit_count,
    CAST(count(*) AS DOUBLE) / 3 AS mean_wait_hr,
    CASE WHEN tenant_id = 'T1' THEN 2.5 ELSE 0.5 END AS chat_in_share
    FROM events WHERE opened_at < $as_of GROUP BY tenant_id"""
    jobs = []
    for script, python in (("build_features.py", sys.executable), ("build_features_spark.py", spark_python)):
        job = FeatureJob(tmp_path / script, script=script, python=python, use_case=str(SMALL))
        (job.use_case / "features.sql").write_text(sql)
        (job.use_case / "use_case.yaml").write_text(
            (job.use_case / "use_case.yaml").read_text().replace("history:", "# history:")
        )
        lines = [f"E{n},T{n % 9},north,visit,,2026-0{1 + n % 9}-03T10:00:00Z," for n in range(90)]
        header = "id,tenant,house,kind,way,opened,answered"
        (job.raw / "log.csv").write_text("\n".join([header, *lines]) + "\n")
        jobs.append((job, job.run(MANIFEST)))
    (duckdb, first), (spark, second) = jobs
    assert first == second
    assert (first["status"], first["tenants"]) == ("ok", 8), first
    tables = [
        pq.read_table(job.base / "processing/output/features/features.parquet").to_pylist() for job in (duckdb, spark)
    ]
    assert tables[0] == tables[1]
    assert {(row["portfolio_id"], row["history"], row["may_train"], row["exposure_days"]) for row in tables[0]} == {
        ("all", "sufficient", True, None)
    }
    refused = [
        pq.read_table(job.base / "processing/output/quarantine/quarantine.parquet").to_pylist()
        for job in (duckdb, spark)
    ]
    for rows in refused:
        assert [(row["reason"], row["column_name"], row["raw_tenant_id"]) for row in rows] == [
            ("out_of_range", "chat_in_share", "T1")
        ]


@pytest.mark.slow
def test_labels_from_later_events_are_the_same(tmp_path: Path, spark_python: Path) -> None:
    """With rows of one event that were corrected later."""
    rows = purchases(150).rows()
    corrected = [place for place, quantity in enumerate(rows["quantity"]) if quantity > 0][::9]
    rows["event_id"] = [f"E{place}" for place in range(len(rows["client"]))]
    rows["recorded_at"] = list(rows["sold_at"])
    for name, values in rows.items():
        values += [values[place] for place in corrected]
        if name == "quantity":
            values[-len(corrected) :] = [-1] * len(corrected)
        if name == "recorded_at":
            values[-len(corrected) :] = ["2026-10-20T00:00:00Z"] * len(corrected)
    known = SQL.replace("sold_at < $as_of", "sold_at < $as_of AND coalesce(recorded_at < $as_of, true)")
    # Of whole cents, because a sum of fractions depends on their order.
    known = known.replace("sum(quantity * price)", "sum(CAST(round(quantity * price * 100) AS BIGINT)) / 100.0")
    made = written_purchases(tmp_path / "made", rows, known)
    jobs = Jobs(tmp_path, spark_python, made.folder)
    shutil.copy(made.export, jobs.duckdb.raw)
    duckdb, spark = jobs.run({"as_of": "2026-11-01T00:00:00Z"})
    assert duckdb == spark
    assert duckdb["status"] == "ok", duckdb
    for name in ("examples.parquet", "features.parquet"):
        ours, theirs = jobs.tables(f"features/{name}")
        assert theirs.equals(ours)
    ours, _ = jobs.tables("features/examples.parquet")
    assert ours.num_rows > 400
    assert 0 < sum(ours["censored"].to_pylist()) < ours.num_rows
    leaking = Jobs(tmp_path / "leaking", spark_python, made.folder)
    for job in (leaking.duckdb, leaking.spark):
        (job.use_case / "features.sql").write_text(SQL.replace("WHERE sold_at < $as_of", ""))
    shutil.copy(made.export, leaking.duckdb.raw)
    duckdb, spark = leaking.run({"as_of": "2026-11-01T00:00:00Z"})
    assert duckdb == spark
    assert duckdb["code"] == "reads_the_future"


@pytest.mark.slow
def test_batches_that_add_up_are_the_same(tmp_path: Path, spark_python: Path) -> None:
    """Each engine keeps a batch and reads what the other one kept; one batch comes twice."""
    whole, one, jobs = tmp_path / "whole", FeatureJob(tmp_path / "one"), Jobs(tmp_path, spark_python)
    whole.mkdir()
    write_awkward_events(whole)
    shutil.copytree(whole, one.raw, dirs_exist_ok=True)
    for job in (one, jobs.duckdb, jobs.spark):
        settings = yaml.safe_load((job.use_case / "use_case.yaml").read_text())
        settings.pop("risk")
        (job.use_case / "use_case.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    assert one.run(MANIFEST)["status"] == "ok"
    kept = [job.base / "processing/input/events" for job in (jobs.duckdb, jobs.spark)]
    kept[0].mkdir()

    def add(job: FeatureJob, name: str, *files: str) -> dict[str, Any]:
        shutil.rmtree(job.raw)
        job.raw.mkdir()
        for file in files:
            shutil.copy(whole / file, job.raw)
        outcome = job.run({**MANIFEST, "mode": "append"}, name)
        assert outcome["status"] == "ok", outcome
        return outcome

    add(jobs.duckdb, "a", "c.jsonl", "b 1.csv")
    kept[0].rename(kept[1])
    add(jobs.spark, "b", "d.parquet", "c.jsonl")
    shutil.copytree(kept[1], kept[0])
    assert add(jobs.duckdb, "c", "deep/ü.csv.gz") == add(jobs.spark, "c", "deep/ü.csv.gz")
    figures = [job.read("reports/data_quality.json")["kept"] for job in (jobs.duckdb, jobs.spark)]
    assert figures[0] == figures[1]
    assert figures[0]["batches"] == 2
    duckdb, spark = jobs.tables("features/features.parquet")
    expected = pq.read_table(one.output("features") / "features.parquet")
    assert duckdb.equals(expected)
    assert spark.equals(expected)
