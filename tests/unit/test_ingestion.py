"""Ingestion against a store that behaves as the design says Feature Store does, and the boto3 adapter on its own."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from tenant_experience.aws.feature_store_writer import FeatureGroup, ensure_feature_group
from tenant_experience.errors import PlatformError
from tenant_experience.feature_records import feature_types, read_records
from tenant_experience.ingestion import IngestionResult, RecordRefusedError, event_time_after, ingest
from tenant_experience.use_case import load_use_case

USE_CASE = load_use_case(Path(__file__).parents[2] / "use_cases" / "tenant_experience")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class MemoryStore:
    """A feature group: an online record changes only when its EventTime is greater."""

    def __init__(self, refuses: set[str] | None = None) -> None:
        self.online: dict[str, dict[str, str]] = {}
        self.offline: list[dict[str, str]] = []
        self.refuses = refuses or set()
        self._lock = threading.Lock()

    def read(self, ids):
        assert len(ids) <= 100
        return {i: self.online[i] for i in ids if i in self.online}

    def write(self, record):
        if record["tenant_id"] in self.refuses:
            raise RecordRefusedError("InternalFailure")
        with self._lock:
            self.offline.append(record)
            stored = self.online.get(record["tenant_id"])
            if stored is None or record["event_time"] > stored["event_time"]:
                self.online[record["tenant_id"]] = record


def records(count: int, **changes: str) -> list[dict[str, str]]:
    return [{"tenant_id": f"T{i}", "total_tickets": str(float(i)), **changes} for i in range(count)]


def run(store: MemoryStore, rows, now: datetime = NOON) -> IngestionResult:
    return ingest(store, "tenant_id", rows, now=lambda: now)


def test_everything_new_is_written_once():
    store = MemoryStore()
    result = run(store, records(1234))
    assert (result.records, result.written, result.unchanged, result.failed) == (1234, 1234, 0, {})
    assert len(store.online) == len(store.offline) == 1234
    assert store.online["T7"] == {"tenant_id": "T7", "total_tickets": "7.0", "event_time": "2026-11-20T12:00:00Z"}


def test_running_twice_writes_nothing_more():
    store = MemoryStore()
    run(store, records(250))
    result = run(store, records(250), NOON + timedelta(hours=1))
    assert (result.written, result.unchanged, len(store.offline)) == (0, 250, 250)


def test_a_corrected_run_within_the_same_second_is_served():
    store = MemoryStore()
    run(store, records(3))
    run(store, records(3, negative_rate="0.5"))
    run(store, records(3, negative_rate="0.25"))
    assert {record["negative_rate"] for record in store.online.values()} == {"0.25"}
    assert store.online["T0"]["event_time"] == "2026-11-20T12:00:02Z"


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
    result.raise_over_limit()


@pytest.mark.parametrize(
    ("count", "failing", "raises"), [(300, 1, False), (300, 2, True), (3000, 3, False), (3000, 4, True)]
)
def test_more_failures_than_one_in_a_thousand_fail_the_run(count: int, failing: int, raises: bool):
    result = run(MemoryStore(refuses={f"T{i}" for i in range(failing)}), records(count))
    if raises:
        with pytest.raises(PlatformError, match=r"failed_records\.json"):
            result.raise_over_limit()
    else:
        result.raise_over_limit()


def test_an_error_of_the_whole_store_ends_the_run():
    class Broken(MemoryStore):
        def write(self, _record):
            raise PlatformError("no access", code="feature_store_write")

    with pytest.raises(PlatformError, match="no access"):
        run(Broken(), records(5000))


def test_records_leave_nulls_out_and_keep_every_digit(tmp_path: Path):
    types = feature_types(USE_CASE)
    row: dict[str, Any] = {name: None if kind == "Fractional" else "x" for name, kind in types.items()}
    row |= {"as_of": NOON, "answer_rate": 1 / 3, "tenant_id": "T1"}
    del row["event_time"], row["release"]
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "features.parquet")
    (record,) = read_records(tmp_path / "features.parquet", USE_CASE, "r1")
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


@pytest.fixture
def runtime():
    client = boto3.client("sagemaker-featurestore-runtime", config=Config(retries={"total_max_attempts": 1}))
    with Stubber(client) as stubber:
        yield client, stubber


def batch(ids: list[str], unprocessed: list[str] | None = None) -> dict[str, Any]:
    def values(i: str) -> list[dict[str, str]]:
        return [{"FeatureName": "tenant_id", "ValueAsString": i}, {"FeatureName": "history", "ValueAsString": "x"}]

    left = [{"FeatureGroupName": "g", "RecordIdentifiersValueAsString": unprocessed}] if unprocessed else []
    found = [{"FeatureGroupName": "g", "RecordIdentifierValueAsString": i, "Record": values(i)} for i in ids]
    return {"Records": found, "Errors": [], "UnprocessedIdentifiers": left}


def test_reading_asks_again_for_what_was_not_processed(runtime):
    client, stubber = runtime
    stubber.add_response("batch_get_record", batch(["T1"], ["T2", "T3"]))
    second = {"Identifiers": [{"FeatureGroupName": "g", "RecordIdentifiersValueAsString": ["T2", "T3"]}]}
    stubber.add_response("batch_get_record", batch(["T3"]), second)
    pauses: list[float] = []
    found = FeatureGroup(client, "g", pauses.append).read(["T1", "T2", "T3"])
    assert found == {i: {"tenant_id": i, "history": "x"} for i in ("T1", "T3")}
    assert len(pauses) == 1


def test_reading_that_never_ends_is_a_platform_error(runtime):
    client, stubber = runtime
    for _ in range(6):
        stubber.add_response("batch_get_record", batch([], ["T1"]))
    with pytest.raises(PlatformError, match="stayed unread"):
        FeatureGroup(client, "g", lambda _seconds: None).read(["T1"])


def test_writing_sends_every_feature(runtime):
    client, stubber = runtime
    expected = [{"FeatureName": "tenant_id", "ValueAsString": "T1"}, {"FeatureName": "a", "ValueAsString": "1.0"}]
    stubber.add_response("put_record", {}, {"FeatureGroupName": "g", "Record": expected})
    FeatureGroup(client, "g").write({"tenant_id": "T1", "a": "1.0"})
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InternalFailure", RecordRefusedError),
        ("ThrottlingException", RecordRefusedError),
        ("AccessDeniedException", PlatformError),
        ("ResourceNotFound", PlatformError),
    ],
)
def test_errors_of_one_record_are_told_from_errors_of_all(runtime, code: str, error):
    client, stubber = runtime
    stubber.add_client_error("put_record", code)
    with pytest.raises(error):
        FeatureGroup(client, "g").write({"tenant_id": "T1"})


TYPES = {"tenant_id": "String", "event_time": "String", "answer_rate": "Fractional"}
GROUP = {"name": "g", "record_id": "tenant_id", "offline_uri": "s3://b/store/", "role_arn": "arn:aws:iam::0:role/x"}


def described(types: dict[str, str] = TYPES, **changes: Any) -> dict[str, Any]:
    return {
        "FeatureGroupArn": "arn:aws:sagemaker:us-east-1:000000000000:feature-group/g",
        "FeatureGroupName": "g",
        "RecordIdentifierFeatureName": "tenant_id",
        "EventTimeFeatureName": "event_time",
        "FeatureDefinitions": [{"FeatureName": n, "FeatureType": t} for n, t in types.items()],
        "CreationTime": NOON,
        "FeatureGroupStatus": "Created",
        "NextToken": "",
        **changes,
    }


@pytest.fixture
def sagemaker():
    client = boto3.client("sagemaker")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def ensure(client, types: dict[str, str] = TYPES) -> None:
    ensure_feature_group(client, types=types, sleep=lambda _seconds: None, **GROUP)


def test_a_missing_group_is_created_with_both_stores_and_awaited(sagemaker):
    client, stubber = sagemaker
    stubber.add_client_error("describe_feature_group", "ResourceNotFound")
    request = {
        "FeatureGroupName": "g",
        "RecordIdentifierFeatureName": "tenant_id",
        "EventTimeFeatureName": "event_time",
        "FeatureDefinitions": ANY,
        "OnlineStoreConfig": {"EnableOnlineStore": True},
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://b/store/"}},
        "RoleArn": "arn:aws:iam::0:role/x",
    }
    arn = {"FeatureGroupArn": described()["FeatureGroupArn"]}
    stubber.add_response("create_feature_group", arn, request)
    stubber.add_response("describe_feature_group", described(FeatureGroupStatus="Creating"))
    stubber.add_response("describe_feature_group", described())
    ensure(client)


def test_new_features_are_added_and_awaited(sagemaker):
    client, stubber = sagemaker
    for _ in range(2):
        stubber.add_response("describe_feature_group", described())
    additions = {
        "FeatureGroupName": "g",
        "FeatureAdditions": [{"FeatureName": "positive_rate", "FeatureType": "Fractional"}],
    }
    stubber.add_response("update_feature_group", {"FeatureGroupArn": described()["FeatureGroupArn"]}, additions)
    stubber.add_response("describe_feature_group", described(LastUpdateStatus={"Status": "InProgress"}))
    stubber.add_response("describe_feature_group", described(LastUpdateStatus={"Status": "Successful"}))
    ensure(client, TYPES | {"positive_rate": "Fractional"})


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (described(FeatureGroupStatus="CreateFailed", FailureReason="no role"), "no role"),
        (described(EventTimeFeatureName="time"), "identified by"),
        (described(TYPES | {"answer_rate": "String"}), "answer_rate with another type"),
        (described(LastUpdateStatus={"Status": "Failed", "FailureReason": "limit"}), "limit"),
    ],
)
def test_a_group_that_cannot_be_used_is_named(sagemaker, group: dict[str, Any], words: str):
    client, stubber = sagemaker
    for _ in range(2):
        stubber.add_response("describe_feature_group", group)
    with pytest.raises(PlatformError, match=words):
        ensure(client)
