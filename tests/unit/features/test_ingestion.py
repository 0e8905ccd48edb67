"""Ingestion against a store that behaves as Feature Store does; what instances share; the records themselves."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenant_experience.errors import PlatformError
from tenant_experience.features.ingestion import event_time_after, keep, serve
from tenant_experience.features.ingestion_result import IngestionResult, read_ingestion
from tenant_experience.features.records import feature_types, read_records
from tenant_experience.jobs.instance_resources import InstanceShare, instance_share
from tenant_experience.jobs.outcome import Outcome
from tenant_experience.use_case.schema import load_use_case
from tests.support.places import USE_CASE_FOLDER

USE_CASE = load_use_case(USE_CASE_FOLDER)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class MemoryStore:
    """A feature group: an online record changes only when its EventTime is greater."""

    record_id = "tenant_id"

    def __init__(self, refuses: set[str] | None = None) -> None:
        self.online: dict[str, dict[str, str]] = {}
        self.offline: list[dict[str, str]] = []
        self.refuses = refuses or set()
        self._lock = threading.Lock()

    def read(self, ids):
        assert len(ids) <= 100
        return {i: self.online[i] for i in ids if i in self.online}

    def write(self, records, store):
        for record in records:
            if record["tenant_id"] in self.refuses:
                continue
            with self._lock:
                if store == "OfflineStore":
                    self.offline.append(record)
                    continue
                stored = self.online.get(record["tenant_id"])
                if stored is None or record["event_time"] > stored["event_time"]:
                    self.online[record["tenant_id"]] = record
        ids = {record["tenant_id"] for record in records}
        return dict.fromkeys(sorted(ids & self.refuses), "InternalFailure")


def records(count: int, **changes: str) -> list[dict[str, str]]:
    known = {"as_of": "2026-11-20T10:00:00Z", "release": "r1"} | changes
    return [{"tenant_id": f"T{i}", "total_tickets": str(float(i)), **known} for i in range(count)]


def run(store: MemoryStore, rows, began: datetime = NOON) -> IngestionResult:
    return serve(store, rows, began=began)


def test_everything_new_is_served_once():
    store = MemoryStore()
    result = run(store, records(1234))
    assert (result.records, result.written, result.unchanged, result.failed) == (1234, 1234, 0, {})
    assert (len(store.online), store.offline) == (1234, [])
    assert store.online["T7"] == records(8)[7] | {"event_time": "2026-11-20T12:00:00.000Z"}


def test_an_earlier_release_is_served_again_also_in_the_place_of_features_as_of_a_later_time():
    store = MemoryStore()
    run(store, records(3))
    run(store, records(5, as_of="2026-11-21T10:00:00Z", release="r2"), NOON + timedelta(days=1))
    assert run(store, records(3), NOON + timedelta(days=2)).newer == 3
    for written in (3, 0):
        assert serve(store, records(3), began=NOON + timedelta(days=2), again=True).written == written
    assert [store.online[f"T{i}"]["release"] for i in range(5)] == ["r1", "r1", "r1", "r2", "r2"]
    after = records(5, as_of="2026-11-21T11:00:00Z", release="r3")
    assert run(store, after, NOON + timedelta(days=3)).written == 5


@pytest.mark.parametrize("later", [timedelta(), timedelta(hours=1)])
def test_serving_twice_writes_nothing_more(later: timedelta):
    store = MemoryStore()
    run(store, records(250))
    before = dict(store.online)
    result = run(store, records(250), NOON + later)
    assert (result.written, result.unchanged, store.online) == (0, 250, before)


def test_of_two_releases_the_one_that_began_last_is_served_whichever_is_served_last():
    first, second = NOON + timedelta(milliseconds=1), NOON + timedelta(milliseconds=2)
    for turns in ((first, second), (second, first), (first, second, first)):
        store = MemoryStore()
        for began in turns:
            result = run(store, records(3, negative_rate=str(began.microsecond)), began)
        assert {record["negative_rate"] for record in store.online.values()} == {"2000"}
        assert result.newer == (3 if turns[-1] == first else 0)


def test_a_correction_writes_those_it_changes_and_says_so_in_their_release():
    store = MemoryStore()
    run(store, records(3))
    before = dict(store.online)
    corrected = records(3, release="r2")
    corrected[1]["total_tickets"] = "7.0"
    result = run(store, corrected, NOON + timedelta(hours=1))
    assert (result.written, result.unchanged) == (1, 2)
    assert {i: record["release"] for i, record in store.online.items()} == {"T0": "r1", "T1": "r2", "T2": "r1"}
    assert store.online["T1"]["total_tickets"] == "7.0"
    assert all(store.online[i] == before[i] for i in ("T0", "T2"))


def test_a_release_as_of_an_earlier_time_leaves_later_features_alone():
    store = MemoryStore()
    run(store, records(2, as_of="2026-11-20T10:00:00Z"))
    before = dict(store.online)
    result = run(store, records(3, as_of="2026-10-01T00:00:00Z", release="late"), NOON + timedelta(hours=1))
    assert (result.written, result.newer, result.unchanged) == (1, 2, 0)
    assert {i: store.online[i] for i in before} == before
    assert store.online["T2"]["release"] == "late"


def test_what_is_kept_goes_to_the_offline_store_alone_and_is_as_old_as_it_says():
    store = MemoryStore()
    run(store, records(2))
    served = dict(store.online)
    for _ in range(2):
        result = keep(store, records(2, as_of="2026-10-01T00:00:00Z"))
        assert (result.written, result.unchanged, result.newer) == (2, 0, 0)
    assert store.online == served
    assert [each["event_time"] for each in store.offline] == ["2026-10-01T00:00:00Z"] * 4


def test_a_feature_that_became_null_counts_as_a_change():
    store = MemoryStore()
    run(store, records(2, answer_rate="1.0"))
    assert run(store, records(2), NOON + timedelta(hours=1)).written == 2
    assert "answer_rate" not in store.online["T0"]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, "2026-11-20T12:00:00Z"),
        ("2026-11-20T11:59:59Z", "2026-11-20T12:00:00Z"),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:01Z"),
        ("2026-11-20T12:00:00.900Z", "2026-11-20T12:00:01Z"),
        ("2027-01-01T00:00:00Z", "2027-01-01T00:00:01Z"),
    ],
)
def test_event_time_is_the_clock_or_just_after_what_is_stored(stored: str | None, expected: str):
    assert event_time_after(NOON + timedelta(milliseconds=700), stored) == expected


def test_one_record_that_fails_is_listed_and_the_rest_are_written():
    store = MemoryStore(refuses={"T5"})
    result = run(store, records(300))
    assert (result.written, result.failed) == (299, {"T5": "InternalFailure"})


@pytest.mark.parametrize(
    ("share", "count", "allowed"), [(0.001, 300, 1), (0.001, 3000, 3), (0.001, 3001, 4), (0.0, 300, 0), (0.5, 10, 5)]
)
def test_more_failures_than_the_gate_allows_fail_the_run(share: float, count: int, allowed: int):
    def result(failing: int) -> IngestionResult:
        return IngestionResult(records=count, failed={f"T{i}": "ThrottlingException" for i in range(failing)})

    result(allowed).raise_over_limit(share)
    result(allowed + 1).raise_over_limit(None)
    with pytest.raises(PlatformError, match=r"ThrottlingException.*failed_records_share.*failed_records\.json"):
        result(allowed + 1).raise_over_limit(share)


def test_the_instances_figures_are_added_up(tmp_path: Path):
    assert read_ingestion(tmp_path) == IngestionResult()
    for number, failed in enumerate(({}, {"T1": "ValidationError"}), start=1):
        result = IngestionResult(10 * number, 5, 4, 3, failed)
        result.write_failed(tmp_path / f"algo-{number}")
        Outcome.ok(feature_group="g", **result.counts()).write(tmp_path / f"algo-{number}")
    assert read_ingestion(tmp_path) == IngestionResult(30, 10, 8, 6, {"T1": "ValidationError"})


def test_an_error_of_the_whole_store_ends_the_run():
    class Broken(MemoryStore):
        def write(self, records, store):
            del records, store
            raise PlatformError("no access", code="feature_store_write")

    with pytest.raises(PlatformError, match="no access"):
        run(Broken(), records(5000))


def test_records_leave_nulls_out_and_keep_every_digit(tmp_path: Path):
    types = feature_types(USE_CASE)
    row: dict[str, Any] = {name: None if kind == "Fractional" else "x" for name, kind in types.items()}
    row |= {"as_of": NOON, "answer_rate": 1 / 3, "tenant_id": "T1"}
    del row["event_time"], row["release"]
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "features.parquet")
    (record,) = read_records(tmp_path / "features.parquet", USE_CASE, "r1", InstanceShare("algo-1", 0, 1))
    assert record == {
        "tenant_id": "T1",
        "portfolio_id": "x",
        "partition_slug": "x",
        "as_of": "2026-11-20T12:00:00Z",
        "release": "r1",
        "history": "x",
        "answer_rate": "0.3333333333333333",
    }
    assert float(record["answer_rate"]) == 1 / 3
    assert set(record) < set(types)


def write_features(path: Path, ids: list[str], row_group_size: int) -> None:
    types = feature_types(USE_CASE)
    row: dict[str, Any] = {name: None if kind == "Fractional" else "x" for name, kind in types.items()}
    del row["event_time"], row["release"]
    table = pa.Table.from_pylist([row | {"as_of": NOON, "tenant_id": i} for i in ids])
    pq.write_table(table, path, row_group_size=row_group_size)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_row_is_exactly_one_instances_and_about_as_many_are_each_ones(tmp_path: Path, count: int):
    ids = [f"T{number:05}" for number in range(2000)]
    write_features(tmp_path / "features.parquet", ids, row_group_size=300)
    parts = [
        [
            record["tenant_id"]
            for record in read_records(
                tmp_path / "features.parquet", USE_CASE, "r1", InstanceShare(f"algo-{number + 1}", number, count)
            )
        ]
        for number in range(count)
    ]
    assert sorted(i for part in parts for i in part) == ids
    assert min(map(len, parts)) > 0.8 * len(ids) / count


def test_a_share_does_not_depend_on_the_process():
    # The CRC-32 of "T1" is 0xCED08A95.
    assert [InstanceShare("", number, 4).owns("T1") for number in range(4)] == [False, True, False, False]


def test_the_share_is_the_hosts_place_among_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    assert instance_share() == InstanceShare("algo-1", 0, 1)
    (tmp_path / "config").mkdir()
    config = {"current_host": "algo-2", "hosts": ["algo-3", "algo-1", "algo-2"]}
    (tmp_path / "config" / "resourceconfig.json").write_text(json.dumps(config))
    assert instance_share() == InstanceShare("algo-2", 1, 3)
