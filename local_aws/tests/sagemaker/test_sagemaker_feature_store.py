"""The feature store: schemas, the online store's rules, the offline store's files."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from local_aws.sagemaker import SageMaker, ServiceError, Timing
from local_aws.sagemaker.feature_store.online_store import OnlineRecord, OnlineStore, Write
from local_aws.tests.sagemaker.support import BUCKET, ROLE, Make, wait_for

T1, T2, T3 = "2026-11-20T10:00:00Z", "2026-11-20T10:00:00.500Z", "2026-11-20T11:00:00Z"
TYPES = {"tenant_id": "String", "event_time": "String", "total": "Integral", "rate": "Fractional", "note": "String"}


def create(sagemaker: SageMaker, name: str = "tenants", **more: Any) -> dict[str, Any]:
    request = {
        "FeatureGroupName": name,
        "RecordIdentifierFeatureName": "tenant_id",
        "EventTimeFeatureName": "event_time",
        "FeatureDefinitions": [{"FeatureName": key, "FeatureType": kind} for key, kind in TYPES.items()],
        "OnlineStoreConfig": {"EnableOnlineStore": True},
        **more,
    }
    sagemaker.call("CreateFeatureGroup", request)
    wait_for(lambda: describe(sagemaker, name)["FeatureGroupStatus"] == "Created", what="the feature group")
    return describe(sagemaker, name)


def describe(sagemaker: SageMaker, name: str = "tenants") -> dict[str, Any]:
    return sagemaker.call("DescribeFeatureGroup", {"FeatureGroupName": name})


def put(sagemaker: SageMaker, event_time: str = T1, more: dict[str, Any] | None = None, **values: str) -> None:
    values = {"tenant_id": "t1", "event_time": event_time} | values
    record = [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]
    request = {"FeatureGroupName": "tenants", "Record": record, **(more or {})}
    assert sagemaker.feature_store_runtime("PutRecord", request) == {}


def get(sagemaker: SageMaker, **more: Any) -> dict[str, str]:
    request = {"FeatureGroupName": "tenants", "RecordIdentifierValueAsString": "t1", **more}
    answer = sagemaker.feature_store_runtime("GetRecord", request)
    found = {each["FeatureName"]: each["ValueAsString"] for each in answer.get("Record", [])}
    return found | {key: value for key, value in answer.items() if key == "ExpiresAt"}


def delete(sagemaker: SageMaker, event_time: str, mode: str) -> None:
    request = {"FeatureGroupName": "tenants", "RecordIdentifierValueAsString": "t1", "EventTime": event_time}
    sagemaker.feature_store_runtime("DeleteRecord", request | {"DeletionMode": mode})


def test_a_group_is_created_described_extended_and_deleted(make: Make) -> None:
    sagemaker = make(timing=Timing(feature_group_creation=0.5))
    found = create(sagemaker)
    assert found["FeatureGroupArn"] == "arn:aws:sagemaker:us-east-1:000000000000:feature-group/tenants"
    with pytest.raises(ServiceError, match="Resource Already Exists") as taken:
        create(sagemaker)
    assert taken.value.code == "ResourceInUse"
    addition = {"FeatureName": "late", "FeatureType": "Fractional"}
    with pytest.raises(ServiceError, match="has no feature 'late'"):
        put(sagemaker, late="1")
    sagemaker.call("UpdateFeatureGroup", {"FeatureGroupName": "tenants", "FeatureAdditions": [addition]})
    put(sagemaker, late="1")
    assert describe(sagemaker)["LastUpdateStatus"] == {"Status": "Successful"}
    assert addition in describe(sagemaker)["FeatureDefinitions"]
    assert [g["FeatureGroupName"] for g in sagemaker.call("ListFeatureGroups", {})["FeatureGroupSummaries"]] == [
        "tenants"
    ]
    sagemaker.call("DeleteFeatureGroup", {"FeatureGroupName": "tenants"})
    with pytest.raises(ServiceError, match="can't find a FeatureGroup") as gone:
        get(sagemaker)
    assert (gone.value.code, gone.value.status) == ("ResourceNotFound", 404)
    create(sagemaker)
    assert get(sagemaker) == {}


def test_a_group_that_is_being_created_takes_no_records(make: Make) -> None:
    sagemaker = make(timing=Timing(feature_group_creation=60))
    definitions = [{"FeatureName": key, "FeatureType": "String"} for key in ("tenant_id", "event_time")]
    names = {"RecordIdentifierFeatureName": "tenant_id", "EventTimeFeatureName": "event_time"}
    online = {"OnlineStoreConfig": {"EnableOnlineStore": True}}
    group = {"FeatureGroupName": "tenants", "FeatureDefinitions": definitions, **names, **online}
    sagemaker.call("CreateFeatureGroup", group)
    assert describe(sagemaker)["FeatureGroupStatus"] == "Creating"
    with pytest.raises(ServiceError, match="not in status Created"):
        put(sagemaker)


def test_only_a_later_event_changes_the_online_store(sagemaker: SageMaker) -> None:
    create(sagemaker)
    assert get(sagemaker) == {}
    put(sagemaker, T2, note="second")
    put(sagemaker, T1, note="older")
    put(sagemaker, T2, note="as old")
    assert get(sagemaker)["note"] == "second"
    put(sagemaker, T3, total="-7")
    assert get(sagemaker) == {"tenant_id": "t1", "event_time": T3, "total": "-7"}
    assert get(sagemaker, FeatureNames=["total", "note"]) == {"total": "-7"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"event_time": "2026-11-20 10:00:00"}, "neither yyyy-MM-dd"),
        ({"event_time": "2026-13-20T10:00:00Z"}, "neither yyyy-MM-dd"),
        ({"event_time": "2026-11-20T10:00:00+00:00"}, "neither yyyy-MM-dd"),
        ({"event_time": "1763632800"}, "neither yyyy-MM-dd"),
        ({"total": "1.0"}, "of type Integral"),
        ({"total": "9223372036854775808"}, "of type Integral"),
        ({"rate": "high"}, "of type Fractional"),
        ({"rate": "nan"}, "of type Fractional"),
        ({"mood": "bad"}, "has no feature 'mood'"),
        ({"tenant_id": ""}, "tenant_id is required"),
    ],
)
def test_records_that_do_not_fit_are_refused(sagemaker: SageMaker, values: dict[str, str], words: str) -> None:
    create(sagemaker)
    with pytest.raises(ServiceError, match=words) as refused:
        put(sagemaker, values.pop("event_time", T1), **values)
    assert (refused.value.code, refused.value.status) == ("ValidationError", 400)
    assert get(sagemaker) == {}


def test_fractional_event_times_are_unix_seconds(sagemaker: SageMaker) -> None:
    kinds = TYPES | {"event_time": "Fractional"}
    create(sagemaker, FeatureDefinitions=[{"FeatureName": k, "FeatureType": v} for k, v in kinds.items()])
    put(sagemaker, "1763632800.5")
    with pytest.raises(ServiceError, match="of type Fractional"):
        put(sagemaker, T1)


@pytest.mark.parametrize("fault", ["identifier", "type", "reserved", "stores", "role"])
def test_groups_that_cannot_be(sagemaker: SageMaker, fault: str) -> None:
    definitions = [{"FeatureName": key, "FeatureType": kind} for key, kind in TYPES.items()]
    change: dict[str, Any] = {
        "identifier": {"RecordIdentifierFeatureName": "missing"},
        "type": {"EventTimeFeatureName": "total"},
        "reserved": {"FeatureDefinitions": [*definitions, {"FeatureName": "is_deleted", "FeatureType": "String"}]},
        "stores": {"OnlineStoreConfig": {"EnableOnlineStore": False}},
        "role": {"OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/fs"}}},
    }[fault]
    with pytest.raises(ServiceError) as refused:
        create(sagemaker, **change)
    assert refused.value.code == "ValidationException"


def test_soft_and_hard_deletion(sagemaker: SageMaker) -> None:
    create(sagemaker)
    put(sagemaker, T2)
    delete(sagemaker, T1, "SoftDelete")  # not later: the record stays
    assert get(sagemaker) != {}
    with pytest.raises(ServiceError, match="not later than the EventTime"):
        delete(sagemaker, T1, "HardDelete")
    delete(sagemaker, T3, "SoftDelete")
    assert get(sagemaker) == {}
    put(sagemaker, T2)  # older than the deletion
    assert get(sagemaker) == {}
    delete(sagemaker, "2026-11-20T12:00:00Z", "HardDelete")
    put(sagemaker, T1)  # nothing is left that could be later
    assert get(sagemaker)["event_time"] == T1


def test_records_expire(sagemaker: SageMaker) -> None:
    create(sagemaker, OnlineStoreConfig={"EnableOnlineStore": True, "TtlDuration": {"Unit": "Weeks", "Value": 1}})
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    put(sagemaker, now)
    assert "ExpiresAt" not in get(sagemaker)
    assert get(sagemaker, ExpirationTimeResponse="Enabled")["ExpiresAt"] > now
    put(sagemaker, "2099-01-01T00:00:00Z", note="later")
    put(sagemaker, "2099-01-01T00:00:01Z", {"TtlDuration": {"Unit": "Seconds", "Value": 1}}, note="latest")
    assert get(sagemaker, ExpirationTimeResponse="Enabled")["ExpiresAt"] == "2099-01-01T00:00:02Z"
    delete(sagemaker, "2099-01-02T00:00:00Z", "HardDelete")
    put(sagemaker, now, {"TtlDuration": {"Unit": "Seconds", "Value": 1}})
    wait_for(lambda: get(sagemaker) == {}, what="the end of the record's time")


def test_a_batch_of_reads_reports_each_one(sagemaker: SageMaker) -> None:
    create(sagemaker)
    put(sagemaker)
    identifiers = [
        {"FeatureGroupName": "tenants", "RecordIdentifiersValueAsString": ["t1", "t9"], "FeatureNames": ["tenant_id"]},
        {"FeatureGroupName": "nobody", "RecordIdentifiersValueAsString": ["t1"]},
    ]
    found = sagemaker.feature_store_runtime("BatchGetRecord", {"Identifiers": identifiers})
    assert found["Records"] == [
        {
            "FeatureGroupName": "tenants",
            "RecordIdentifierValueAsString": "t1",
            "Record": [{"FeatureName": "tenant_id", "ValueAsString": "t1"}],
        }
    ]
    assert [(e["FeatureGroupName"], e["ErrorCode"]) for e in found["Errors"]] == [("nobody", "ResourceNotFound")]
    assert found["UnprocessedIdentifiers"] == []
    identifiers = [{"FeatureGroupName": "tenants", "RecordIdentifiersValueAsString": ["t"] * 101}]
    with pytest.raises(ServiceError, match="takes 1 to 100"):
        sagemaker.feature_store_runtime("BatchGetRecord", {"Identifiers": identifiers})


def entry(record_id: str, event_time: str = T1, group: str = "tenants", **more: Any) -> dict[str, Any]:
    values = {"tenant_id": record_id, "event_time": event_time} | more.pop("values", {})
    record = [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]
    return {"FeatureGroupName": group, "Record": record, **more}


def test_a_batch_of_writes_takes_what_fits_and_reports_the_rest(sagemaker: SageMaker) -> None:
    create(sagemaker)
    put(sagemaker, T2, note="first")
    entries = [
        entry("t1", T1, values={"note": "stale"}),  # not later: what is online stays
        entry("t2", values={"rate": "0.5"}),
        entry("t3", values={"rate": "nan"}),
        entry("t4", "yesterday"),
        entry("t5", group="nobody"),
        entry("t6", TargetStores=["OfflineStore"]),  # the group has none
        entry("t7", T3),
    ]
    answer = sagemaker.feature_store_runtime("BatchWriteRecord", {"Entries": entries})
    assert [(each["Entry"], each["ErrorCode"]) for each in answer["Errors"]] == [
        (entries[2], "ValidationError"),
        (entries[3], "ValidationError"),
        (entries[4], "ResourceNotFound"),
        (entries[5], "ValidationError"),
    ]
    assert answer["UnprocessedEntries"] == []
    asked = {"FeatureGroupName": "tenants", "RecordIdentifiersValueAsString": [f"t{n}" for n in range(1, 8)]}
    found = sagemaker.feature_store_runtime("BatchGetRecord", {"Identifiers": [asked]})["Records"]
    assert [each["RecordIdentifierValueAsString"] for each in found] == ["t1", "t2", "t7"]
    assert get(sagemaker)["note"] == "first"


@pytest.mark.parametrize("count", [0, 26])
def test_a_batch_of_writes_has_one_to_twenty_five_entries(sagemaker: SageMaker, count: int) -> None:
    create(sagemaker)
    with pytest.raises(ServiceError, match=f"takes 1 to 25 entries, and was given {count}") as refused:
        sagemaker.feature_store_runtime("BatchWriteRecord", {"Entries": [entry(f"t{n}") for n in range(count)]})
    assert refused.value.code == "ValidationError"


def test_a_records_own_time_to_live_goes_before_the_requests_and_that_before_the_groups(sagemaker: SageMaker) -> None:
    create(sagemaker, OnlineStoreConfig={"EnableOnlineStore": True, "TtlDuration": {"Unit": "Weeks", "Value": 1}})
    minute, hour = {"Unit": "Minutes", "Value": 1}, {"Unit": "Hours", "Value": 1}
    start = "2099-01-01T00:00:00Z"
    request = {"Entries": [entry("t1", start), entry("t2", start, TtlDuration=minute)], "TtlDuration": hour}
    assert sagemaker.feature_store_runtime("BatchWriteRecord", request)["Errors"] == []
    sagemaker.feature_store_runtime("BatchWriteRecord", {"Entries": [entry("t3", start)]})

    def expires(record_id: str) -> str:
        return get(sagemaker, RecordIdentifierValueAsString=record_id, ExpirationTimeResponse="Enabled")["ExpiresAt"]

    ends = [expires(record_id) for record_id in ("t1", "t2", "t3")]
    assert ends == ["2099-01-01T01:00:00Z", "2099-01-01T00:01:00Z", "2099-01-08T00:00:00Z"]


def test_a_batch_of_writes_goes_to_the_stores_each_entry_names(sagemaker: SageMaker, s3: Any) -> None:
    offline = {"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/batches/"}}
    found = create(sagemaker, OfflineStoreConfig=offline, RoleArn=ROLE)
    prefix = found["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"].removeprefix(f"s3://{BUCKET}/")
    entries = [entry("t1"), entry("t2", TargetStores=["OfflineStore"]), entry("t3", TargetStores=["OnlineStore"])]
    assert sagemaker.feature_store_runtime("BatchWriteRecord", {"Entries": entries})["Errors"] == []
    asked = {"FeatureGroupName": "tenants", "RecordIdentifiersValueAsString": ["t1", "t2", "t3"]}
    online = sagemaker.feature_store_runtime("BatchGetRecord", {"Identifiers": [asked]})["Records"]
    assert [each["RecordIdentifierValueAsString"] for each in online] == ["t1", "t3"]

    def rows() -> list[str]:
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
        bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
        return sorted(row["tenant_id"] for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist())

    assert wait_for(lambda: (found := rows()) and len(found) == 2 and found, what="the offline store") == ["t1", "t2"]


def test_malformed_requests_are_refused_not_crashed_on(sagemaker: SageMaker) -> None:
    create(sagemaker)
    for operation, request in (
        ("PutRecord", {}),
        ("PutRecord", {"FeatureGroupName": "tenants", "Record": ["x"]}),
        ("PutRecord", {"FeatureGroupName": "tenants", "Record": [{"FeatureName": "note"}]}),
        ("GetRecord", {"FeatureGroupName": "tenants", "RecordIdentifierValueAsString": 7}),
        ("BatchGetRecord", {"Identifiers": []}),
        ("BatchWriteRecord", {}),
        ("BatchWriteRecord", {"Entries": ["x"]}),
        ("BatchWriteRecord", {"Entries": [entry("t1"), {"Record": []}]}),
    ):
        with pytest.raises(ServiceError) as refused:
            sagemaker.feature_store_runtime(operation, request)
        assert refused.value.code == "ValidationError"
    with pytest.raises(ServiceError, match="ListRecords is not emulated"):
        sagemaker.feature_store_runtime("ListRecords", {})


def test_the_offline_store_keeps_everything_in_parquet(sagemaker: SageMaker, s3: Any) -> None:
    offline = {"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/feature-store/"}}
    found = create(sagemaker, OfflineStoreConfig=offline, RoleArn=ROLE)
    uri = found["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    expected = f"s3://{BUCKET}/feature-store/000000000000/sagemaker/us-east-1/offline-store/tenants-"
    assert uri.startswith(expected)
    put(sagemaker, T2, rate="0.5")
    put(sagemaker, T1, total="3")  # a historic record: offline only
    put(sagemaker, T3, {"TargetStores": ["OnlineStore"]})
    delete(sagemaker, "2026-11-20T12:00:00Z", "SoftDelete")
    prefix = uri.removeprefix(f"s3://{BUCKET}/")

    def rows() -> list[dict[str, Any]]:
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
        assert all(key.endswith(".parquet") for key in keys)
        bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
        return [row for body in bodies for row in pq.read_table(io.BytesIO(body)).to_pylist()]

    written = wait_for(lambda: (found := rows()) and len(found) == 3 and found, what="the offline store")
    assert sorted((row["event_time"], row["total"], row["rate"], row["is_deleted"]) for row in written) == [
        (T2, None, 0.5, False),
        (T1, 3, None, False),
        ("2026-11-20T12:00:00Z", None, None, True),
    ]
    assert {"write_time", "api_invocation_time"} <= set(written[0])
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]
    assert {key.removeprefix(f"{prefix}/").rsplit("/", 1)[0] for key in keys} == {
        "year=2026/month=11/day=20/hour=10",
        "year=2026/month=11/day=20/hour=12",
    }
    assert describe(sagemaker)["OfflineStoreStatus"] == {"Status": "Active"}


def test_records_survive_a_restart(make: Make) -> None:
    first = make()
    create(first)
    put(first, note="kept")
    first.stop()
    assert get(make())["note"] == "kept"


def test_rows_that_were_sent_leave_the_outbox_and_no_others(tmp_path: Path) -> None:
    store = OnlineStore(tmp_path / "store.sqlite")
    for number in range(1203):
        store.write([Write(number % 2, None, str(number))], now=0)
    first = store.outbox(0, 5000)
    store.sent(0, first[-2][0])
    assert store.outbox(0, 5000) == first[-1:]
    assert len(store.outbox(1, 5000)) == 601
    store.close()


def test_a_record_that_is_hard_deleted_is_in_no_file_any_more(tmp_path: Path) -> None:
    store = OnlineStore(tmp_path / "store.sqlite")
    for event_time, body in ((1.0, "first-words"), (2.0, "second-words")):
        store.write([Write(7, OnlineRecord("t1", event_time, None, body), f"row-{body}")], now=event_time)
    store.write([Write(7, OnlineRecord("t2", 1.0, None, "others"), None)], now=1.0)
    store.sent(7, 2)
    assert store.remove(7, "t1", 3.0, None)
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"words" not in files
    assert b"others" in files
    store.close()
