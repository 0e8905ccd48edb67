"""The BuildFeatures script as a process: good batches, every kind of bad input, and its gates."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from demo.generate_events import generate
from tenant_experience.use_case.schema import load_use_case
from tests.support.feature_job import FeatureJob
from tests.support.places import SHARED_DATA, USE_CASE_FOLDER
from tests.support.requirements import needs_shared_data

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
COLUMNS = (
    "event_id,tenant_id,portfolio_id,channel,direction,opened_at,first_response_at,resolved_at,"
    "answered,escalated,sentiment"
)
FEATURES = load_use_case(USE_CASE_FOLDER).feature_names
SCHEMA = [
    *("tenant_id", "portfolio_id", "partition", "partition_slug", "as_of", "history", "may_train"),
    *(*FEATURES, "exposure_days", "open_count", "oldest_open_hr"),
]


@pytest.fixture
def job(tmp_path: Path) -> FeatureJob:
    return FeatureJob(tmp_path)


def change_use_case(job: FeatureJob, **sections: dict) -> None:
    path = job.use_case / "use_case.yaml"
    document = yaml.safe_load(path.read_text())
    for name, section in sections.items():
        document[name] |= section
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def household_table(rows: int = 600) -> dict[str, list]:
    renamed = {"positive_rate": "zd_positive_rate", "negative_rate": "zd_negative_rate"}
    table = {renamed.get(name, name): [0.5] * rows for name in FEATURES}
    return {"household_id": [f"U{i}" for i in range(rows)], **table}


def write_table(job: FeatureJob, table: dict[str, list], name: str = "households.parquet") -> None:
    pq.write_table(pa.table(table), job.raw / name)


MANIFEST = {"as_of": "2026-11-01T00:00:00Z", "hyperparameters": {"max_depth": 3}}


class Built(FeatureJob):
    """A job that has run, on generated events."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.written = generate(self.raw, as_of=AS_OF, tenants=1_500, seed=1, margin="wide").events
        self.outcome = self.run(MANIFEST)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("built"))


def test_generated_events_become_features(built: Built):
    job, outcome = built, built.outcome
    assert outcome["status"] == "ok"
    assert (outcome["source"], outcome["as_of"], outcome["shards"]) == ("events", "2026-11-01T00:00:00Z", 1)
    table = pq.read_table(job.output("features") / "features.parquet")
    assert table.column_names == SCHEMA
    assert outcome["tenants"] == table.num_rows > 1400
    assert table["as_of"].type == pa.timestamp("us", tz="UTC")
    assert all(table[name].type == pa.float64() for name in SCHEMA[7:])
    ids = table["tenant_id"].to_pylist()
    assert ids == sorted(ids)
    (item,) = job.read("features/partitions.json")
    assert item["shard"] == 0
    assert item["hyperparameters"]["max_depth"] == "3"
    assert all(isinstance(value, str) for value in item["hyperparameters"].values())
    (partition,) = item["partitions"]
    assert (partition["partition"], partition["slug"], partition["tenants"]) == ("all", "all", outcome["tenants"])


def test_the_report_and_the_quarantine_account_for_every_row(built: Built):
    job, written, outcome = built, built.written, built.outcome
    report = job.read("reports/data_quality.json")
    assert outcome["rows"] == report["rows"] == written
    assert report["events"] + report["duplicates_dropped"] + report["quarantined"] == written
    quarantine = pq.read_table(job.output("quarantine") / "quarantine.parquet").to_pylist()
    assert len(quarantine) == report["quarantined"] == sum(entry["rows"] for entry in report["quarantined_by_reason"])
    reasons = Counter(row["reason"] for row in quarantine)
    expected = {"missing_value", "unknown_channel", "unreadable_time", "negative_duration", "ragged_row"}
    assert set(reasons) == expected
    assert sum(report["tenants_by_history"].values()) == report["tenants"]
    assert set(report["features"]) == set(SCHEMA[7:])


def test_the_same_batch_gives_the_same_bytes(built: Built, tmp_path: Path):
    again = Built(tmp_path)
    first, second = ((job.output("features") / "features.parquet").read_bytes() for job in (built, again))
    assert first == second


@needs_shared_data("tenant_communications.parquet")
def test_the_real_table_becomes_features(job: FeatureJob):
    (job.raw / "table.parquet").write_bytes((SHARED_DATA / "tenant_communications.parquet").read_bytes())
    outcome = job.run({"source": "tenant_table"})
    assert (outcome["status"], outcome["tenants"], outcome["quarantined"]) == ("ok", 28_299, 0)
    assert outcome["as_of"] == "2026-11-20T10:00:00Z"
    table = pq.read_table(job.output("features") / "features.parquet")
    assert table.column_names == SCHEMA
    rows = {row["tenant_id"]: row for row in table.to_pylist()}
    assert rows["U00000080"]["work_order_count"] == pytest.approx(7.934782608695652, abs=0)
    assert rows["U00000080"]["positive_rate"] == pytest.approx(0.035714286, abs=0)
    assert rows["U00000080"]["history"] == "sufficient"
    assert rows["U00000080"]["exposure_days"] is None


def test_large_portfolios_get_their_own_partition_and_small_ones_share(job: FeatureJob):
    generate(job.raw, as_of=AS_OF, tenants=1500, portfolios=4, seed=3, margin="wide")
    change_use_case(job, models={"minimum_tenants": 300, "shard_size": 2})
    outcome = job.run({"as_of": "2026-11-01T00:00:00Z", "models": "per_partition"})
    items = job.read("features/partitions.json")
    assert outcome["shards"] == len(items)
    assert [len(item["partitions"]) for item in items][:-1] == [2] * (len(items) - 1)
    partitions = {p["partition"]: p for item in items for p in item["partitions"]}
    assert partitions["all"]["scale"] == "global"
    assert partitions["all"]["training_tenants"] == outcome["data_quality"]["may_train"]
    assert {p["scale"] for name, p in partitions.items() if name != "all"} == {"local"}
    rows = pq.read_table(job.output("features") / "features.parquet").to_pylist()
    counted = Counter(row["partition"] for row in rows)
    assert counted == {name: p["tenants"] for name, p in partitions.items()}
    assert all(row["partition"] in (row["portfolio_id"], "all") for row in rows)
    assert all(p["training_tenants"] >= 300 for p in partitions.values())


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("events.csv", b"", "empty_file", ["events.csv", "event_id"]),
        ("events.csv", COLUMNS.encode() + b"\n", "no_rows", ["events.csv", "event_id"]),
        (
            "events.csv",
            b"event_id,channel\n1,2\n",
            "missing_column",
            ["events.csv", "'tenant_id'", "event_id, channel"],
        ),
        (
            "events.csv",
            b"event_id;tenant_id\n1;2\n",
            "missing_column",
            ["events.csv", "'event_id'", "it has none"],
        ),
        ("events.csv", b"\x89PNG\r\n\x1a\n" + bytes(50), "wrong_file_type", ["events.csv", "PNG", "event_id"]),
        (
            "events.csv",
            COLUMNS.replace("channel", "tenant_id").encode(),
            "duplicate_column",
            ["events.csv", "'tenant_id'"],
        ),
        ("events.csv", b"event_id,\xe9\n", "wrong_encoding", ["events.csv", "UTF-8", "csv: {encoding: cp1252}"]),
        ("events.parquet", b"PAR1" + bytes(99) + b"PAR1", "corrupt_file", ["events.parquet", "columns"]),
        ("events.parquet", b"PAR1" + bytes(99), "corrupt_file", ["events.parquet", "columns"]),
        ("events.jsonl", b'{"event_id": "1"}\n', "missing_column", ["events.jsonl", "'tenant_id'"]),
        ("events.xls", b"\xd0\xcf\x11\xe0", "unknown_extension", ["events.xls", ".parquet"]),
    ],
)
def test_bad_input_is_a_user_error_that_names_file_and_column(job: FeatureJob, name, content, code, words):
    (job.raw / name).write_bytes(content)
    outcome = job.run({})
    assert (outcome["status"], outcome["fault"], outcome["code"]) == ("refused", "user", code)
    for word in words:
        assert word in outcome["message"]
    assert sorted(path.name for path in job.output("features").iterdir()) == ["outcome.json"]
    assert (job.base / "output/message").read_text().startswith(f"UserError: {code}: ")


def test_a_parquet_damaged_in_the_middle_is_named(job: FeatureJob):
    write_table(job, household_table(20_000) | {"household_id": [f"{i:x}-{i * 7919 % 10007}" for i in range(20_000)]})
    path = job.raw / "households.parquet"
    content = bytearray(path.read_bytes())
    content[2_000:30_000] = b"\xff" * 28_000
    path.write_bytes(content)
    outcome = job.run({"source": "tenant_table"})
    assert (outcome["code"], "households.parquet" in outcome["message"]) == ("corrupt_file", True)


def test_a_gzip_cut_short_is_named(job: FeatureJob):
    lines = [f"E{i},T{i * 7919},p,ticket,,2026-01-01,,,,,{i * 31}" for i in range(60_000)]
    (job.raw / "e.csv.gz").write_bytes(gzip.compress("\n".join([COLUMNS, *lines]).encode())[:-40_000])
    outcome = job.run({})
    assert (outcome["code"], "e.csv.gz" in outcome["message"]) == ("corrupt_file", True)


def test_too_many_bad_rows_are_refused_by_their_gate_with_the_worst_named(job: FeatureJob):
    good = [f"E{i},T{i},p,ticket,,2026-11-01T00:00:00Z,,,,," for i in range(90)]
    bad = [f"B{i},T{i},p,fax,,2026-11-01T00:00:00Z,,,,," for i in range(10)]
    (job.raw / "events.csv").write_text("\n".join([COLUMNS, *good, *bad]))
    outcome = job.run({})
    assert outcome["code"] == "too_many_bad_rows"
    for words in ("10 of 100", "10.0%", "5.0%", "unknown_channel", "column channel", "events.csv line 92"):
        assert words in outcome["message"]
    assert pq.read_table(job.output("quarantine") / "quarantine.parquet").num_rows == 10
    assert job.read("reports/data_quality.json")["quarantined"] == 10


def test_too_few_tenants_are_refused_by_their_gate(job: FeatureJob):
    generate(job.raw, as_of=AS_OF, tenants=100, margin="wide")
    outcome = job.run({"as_of": "2026-11-01T00:00:00Z"})
    assert (outcome["fault"], outcome["code"]) == ("algorithm", "too_few_tenants")
    assert "pooled_tenants asks for 500" in outcome["message"]


def test_old_events_are_refused_by_their_gate(job: FeatureJob):
    generate(job.raw, as_of=datetime(2025, 1, 1, tzinfo=UTC), tenants=100, margin="wide")
    outcome = job.run({})
    assert outcome["code"] == "stale_events"
    assert "set as_of in manifest.json" in outcome["message"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"total_tickets": ["many"] * 600}, "wrong_column_type", ["households.parquet", "'total_tickets'", "numbers"]),
        (
            {"household_id": ["U1", "U2"] * 300, "total_tickets": [*range(600)]},
            "conflicting_ids",
            ["2 of 2 ids", "'tenant_id'", "one row for each"],
        ),
        ({"answer_rate": [1.5] * 600}, "too_many_bad_rows", ["households.parquet", "out_of_range", "answer_rate"]),
        ({"total_tickets": [-1.0] * 600}, "too_many_bad_rows", ["out_of_range", "total_tickets"]),
        ({"zd_positive_rate": [float("inf")] * 600}, "too_many_bad_rows", ["out_of_range", "zd_positive_rate"]),
        ({"zd_negative_rate": None}, "missing_column", ["households.parquet", "'zd_negative_rate'", "negative_rate"]),
    ],
)
def test_a_ready_made_table_that_is_wrong_is_named(job: FeatureJob, change, code, words):
    table = {name: values for name, values in (household_table() | change).items() if values is not None}
    write_table(job, table)
    outcome = job.run({"source": "tenant_table"})
    assert (outcome["fault"], outcome["code"]) == ("user", code)
    for word in words:
        assert word in outcome["message"]


def test_a_few_bad_cells_of_a_table_go_to_quarantine(job: FeatureJob):
    table = household_table()
    lines = [",".join(table), *(",".join(map(str, row)) for row in zip(*table.values(), strict=True))]
    lines[3] = lines[3].replace("0.5", "half", 1)
    (job.raw / "households.csv").write_text("\n".join(lines))
    outcome = job.run({"source": "tenant_table"})
    assert (outcome["status"], outcome["tenants"], outcome["quarantined"]) == ("ok", 599, 1)
    (row,) = pq.read_table(job.output("quarantine") / "quarantine.parquet").to_pylist()
    assert (row["reason"], row["column_name"], row["line"]) == ("not_a_number", "work_order_count", 4)


@pytest.mark.parametrize(
    ("manifest", "code", "words"),
    [
        (None, "invalid_manifest", ["manifest.json", "missing"]),
        ({"source": "zendesk"}, "unknown_source", ["zendesk", "events, nyc311, tenant_table, uci_incidents"]),
        ({"as_of": "2027-01-01T00:00:00Z"}, "invalid_manifest", ["as_of", "later than the request"]),
        ({"as_off": 1}, "invalid_manifest", ["as_off"]),
    ],
)
def test_a_wrong_manifest_is_named(job: FeatureJob, manifest, code, words):
    (job.raw / "events.csv").write_text(COLUMNS + "\n")
    outcome = job.run(manifest)
    assert outcome["code"] == code
    for word in words:
        assert word in outcome["message"]


def test_a_wrong_source_file_is_named_with_its_key(job: FeatureJob):
    (job.raw / "events.csv").write_text(COLUMNS + "\n")
    path = job.use_case / "sources/events.yaml"
    path.write_text(path.read_text().replace("  channel: channel", "  channel: lower(channel").replace("csv:", "cvs:"))
    outcome = job.run({})
    assert outcome["code"] == "invalid_source"
    for word in ("events.yaml", "columns.channel", "'cvs'", "time_zone"):
        assert word in outcome["message"]


def test_a_use_case_of_another_name_is_refused(job: FeatureJob):
    path = job.use_case / "use_case.yaml"
    path.write_text(path.read_text().replace("name: tenant_experience", "name: other"))
    assert job.run({})["code"] == "invalid_use_case"
    assert json.loads((job.base / "processing/output/features/outcome.json").read_text())["fault"] == "user"
