"""The boto3 adapter of ingestion on its own: what it sends, what it asks again, whose fault an error is."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from tenant_experience.aws.feature_group import ensure_feature_group
from tenant_experience.aws.feature_store_writer import FeatureGroup
from tenant_experience.errors import PlatformError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


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
    found = FeatureGroup(client, "g", "tenant_id", pauses.append).read(["T1", "T2", "T3"])
    assert found == {i: {"tenant_id": i, "history": "x"} for i in ("T1", "T3")}
    assert len(pauses) == 1


def test_reading_that_never_ends_is_a_platform_error(runtime):
    client, stubber = runtime
    for _ in range(6):
        stubber.add_response("batch_get_record", batch([], ["T1"]))
    with pytest.raises(PlatformError, match="1 records could not be read in 6 attempts"):
        FeatureGroup(client, "g", "tenant_id", lambda _seconds: None).read(["T1"])


def entry(record_id: str, store: str = "OnlineStore") -> dict[str, Any]:
    return {
        "FeatureGroupName": "g",
        "Record": [{"FeatureName": name, "ValueAsString": value} for name, value in record(record_id).items()],
        "TargetStores": [store],
    }


def record(record_id: str) -> dict[str, str]:
    return {"tenant_id": record_id, "a": "1"}


def written(*errors: tuple[str, str], unprocessed: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "Errors": [{"Entry": entry(i), "ErrorCode": code, "ErrorMessage": "no"} for i, code in errors],
        "UnprocessedEntries": [entry(i) for i in unprocessed],
    }


def expect(stubber: Stubber, ids: list[str], answer: dict[str, Any]) -> None:
    stubber.add_response("batch_write_record", answer, {"Entries": [entry(i) for i in ids]})


def test_writing_sends_twenty_five_whole_records_a_call(runtime):
    client, stubber = runtime
    ids = [f"T{number}" for number in range(60)]
    for start, end in ((0, 25), (25, 50), (50, 60)):
        expect(stubber, ids[start:end], written())
    assert FeatureGroup(client, "g", "tenant_id").write([record(i) for i in ids], "OnlineStore") == {}
    stubber.assert_no_pending_responses()


def test_history_is_sent_to_the_offline_store_alone(runtime):
    client, stubber = runtime
    sent = {"Entries": [entry("T1", "OfflineStore")]}
    stubber.add_response("batch_write_record", written(), sent)
    assert FeatureGroup(client, "g", "tenant_id").write([record("T1")], "OfflineStore") == {}


def test_only_what_was_not_taken_is_sent_again(runtime):
    client, stubber = runtime
    first = written(("T1", "ThrottlingException"), ("T2", "ValidationError"), unprocessed=("T3",))
    expect(stubber, ["T0", "T1", "T2", "T3"], first)
    expect(stubber, ["T1", "T3"], written(("T1", "ServiceUnavailable")))
    expect(stubber, ["T1"], written())
    pauses: list[float] = []
    group = FeatureGroup(client, "g", "tenant_id", pauses.append)
    assert group.write([record(f"T{number}") for number in range(4)], "OnlineStore") == {"T2": "ValidationError"}
    stubber.assert_no_pending_responses()
    assert len(pauses) == 2


def test_what_is_never_taken_is_told_with_its_last_code_after_bounded_pauses(runtime):
    client, stubber = runtime
    for _ in range(6):
        expect(stubber, ["T1", "T2"], written(("T1", "InternalFailure"), unprocessed=("T2",)))
    pauses: list[float] = []
    group = FeatureGroup(client, "g", "tenant_id", pauses.append)
    assert group.write([record("T1"), record("T2")], "OnlineStore") == {"T1": "InternalFailure", "T2": "Unprocessed"}
    assert all(0 <= pause <= 5 for pause in pauses)


def test_a_call_that_is_refused_whole_fails_only_the_record_that_is_at_fault(runtime):
    client, stubber = runtime
    stubber.add_client_error("batch_write_record", "ValidationError")
    expect(stubber, ["T1"], written())
    stubber.add_client_error("batch_write_record", "ValidationError")
    expect(stubber, ["T3"], written())
    group = FeatureGroup(client, "g", "tenant_id")
    assert group.write([record(i) for i in ("T1", "T2", "T3")], "OnlineStore") == {"T2": "ValidationError"}
    stubber.assert_no_pending_responses()


def test_a_call_that_was_throttled_to_the_end_fails_its_records(runtime):
    client, stubber = runtime
    stubber.add_client_error("batch_write_record", "ThrottlingException")
    found = FeatureGroup(client, "g", "tenant_id").write([record("T1"), record("T2")], "OnlineStore")
    assert found == dict.fromkeys(("T1", "T2"), "ThrottlingException")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFound"])
@pytest.mark.parametrize("of_a_record", [True, False])
def test_an_error_that_every_record_would_meet_ends_the_run(runtime, code: str, of_a_record: bool):
    client, stubber = runtime
    if of_a_record:
        stubber.add_response("batch_write_record", written(("T1", code)))
    else:
        stubber.add_client_error("batch_write_record", code)
    with pytest.raises(PlatformError, match=code):
        FeatureGroup(client, "g", "tenant_id").write([record("T1")], "OnlineStore")


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


def test_features_that_another_instance_added_first_are_no_error(sagemaker):
    client, stubber = sagemaker
    for _ in range(2):
        stubber.add_response("describe_feature_group", described())
    stubber.add_client_error("update_feature_group", "ValidationException")
    stubber.add_response("describe_feature_group", described(TYPES | {"positive_rate": "Fractional"}))
    ensure(client, TYPES | {"positive_rate": "Fractional"})


def test_features_that_cannot_be_added_are_the_services_error(sagemaker):
    client, stubber = sagemaker
    for _ in range(2):
        stubber.add_response("describe_feature_group", described())
    stubber.add_client_error("update_feature_group", "ValidationException", "too many features")
    stubber.add_response("describe_feature_group", described())
    with pytest.raises(ClientError, match="too many features"):
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
