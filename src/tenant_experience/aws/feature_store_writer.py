"""The SageMaker Feature Store as ingestion needs it: the group ensured, records read by the hundred and written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tenant_experience.errors import PlatformError
from tenant_experience.ingestion import EVENT_TIME, THREADS, Record, RecordRefusedError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_featurestore_runtime import SageMakerFeatureStoreRuntimeClient

# Codes that say something of one record, or of one moment after all retries; any other would meet every record.
_OF_ONE_RECORD = frozenset(
    {"ValidationError", "ValidationException", "InternalFailure", "ServiceUnavailable", "ThrottlingException"}
)
_READ_ATTEMPTS = 6
_GROUP_WAIT_SECONDS = 600.0


def runtime_client() -> SageMakerFeatureStoreRuntimeClient:
    """One client for all threads of a process.

    Adaptive retries slow the whole client down when the service throttles, instead of failing records. Our own records
    are well formed, so botocore need not check every one against its model: that is a fifth of the time of a call.
    """
    config = Config(
        max_pool_connections=THREADS,
        retries={"mode": "adaptive", "total_max_attempts": 8},
        connect_timeout=5,
        read_timeout=20,
        tcp_keepalive=True,
        parameter_validation=False,
    )
    return boto3.client("sagemaker-featurestore-runtime", config=config)


class FeatureGroup:
    """One feature group, as the port :class:`tenant_experience.ingestion.FeatureStore`.

    Args:
        client: shared by threads.
        name: of the group.
        sleep: for tests.
    """

    def __init__(
        self,
        client: SageMakerFeatureStoreRuntimeClient,
        name: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._name = name
        self._sleep = sleep

    def read(self, ids: Sequence[str]) -> dict[str, Record]:
        """The stored records of at most 100 ids.

        Raises:
            PlatformError: ``feature_store_read``; some ids stayed unanswered after several attempts.
        """
        found: dict[str, Record] = {}
        left, reason = list(ids), ""
        for attempt in range(_READ_ATTEMPTS):
            identifier = {"FeatureGroupName": self._name, "RecordIdentifiersValueAsString": left}
            answer = cast(dict[str, Any], self._client.batch_get_record(Identifiers=[cast(Any, identifier)]))
            for item in answer["Records"]:
                record = {value["FeatureName"]: value["ValueAsString"] for value in item["Record"]}
                found[item["RecordIdentifierValueAsString"]] = record
            left = [i for item in answer["UnprocessedIdentifiers"] for i in item["RecordIdentifiersValueAsString"]]
            left += [item["RecordIdentifierValueAsString"] for item in answer["Errors"]]
            if not left:
                return found
            reason = answer["Errors"][0]["ErrorCode"] if answer["Errors"] else "unprocessed"
            self._sleep(min(5.0, 0.2 * 2**attempt))
        raise PlatformError(
            f"feature group {self._name}: {len(left)} records stayed unread after {_READ_ATTEMPTS} attempts: {reason}",
            code="feature_store_read",
        )

    def write(self, record: Record) -> None:
        """Writes one record to the online and the offline store.

        Raises:
            RecordRefusedError: the store refused it after all retries.
        """
        values = [{"FeatureName": name, "ValueAsString": value} for name, value in record.items()]
        try:
            self._client.put_record(FeatureGroupName=self._name, Record=cast(Any, values))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _OF_ONE_RECORD:
                raise PlatformError(f"feature group {self._name}: {error}", code="feature_store_write") from error
            raise RecordRefusedError(code) from error


def ensure_feature_group(
    client: SageMakerClient,
    name: str,
    types: Mapping[str, str],
    record_id: str,
    *,
    offline_uri: str,
    role_arn: str,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Creates the group, or adds the features it lacks, and waits until it can be written.

    Args:
        client: of SageMaker.
        name: of the group.
        types: feature -> ``String`` or ``Fractional``.
        record_id: the record identifier; a group's identity never changes.
        offline_uri: ``s3://bucket/prefix/`` of the offline store.
        role_arn: what the service writes there as.
        sleep: for tests.

    Raises:
        PlatformError: ``feature_group``; it exists with another identity or type, or could not be made in 10 minutes.
    """
    existing = _describe(client, name)
    if existing is None:
        _create(client, name, types, record_id, offline_uri, role_arn)
    existing = _wait(client, name, sleep)
    _check_identity(existing, name, record_id)
    present = {item["FeatureName"]: item["FeatureType"] for item in existing["FeatureDefinitions"]}
    other = sorted(feature for feature, kind in types.items() if present.get(feature, kind) != kind)
    if other:
        raise PlatformError(
            f"feature group {name} holds {', '.join(other)} with another type; types never change: use a new name",
            code="feature_group",
        )
    missing = {feature: kind for feature, kind in types.items() if feature not in present}
    if missing:
        client.update_feature_group(FeatureGroupName=name, FeatureAdditions=_definitions(missing))
        _wait(client, name, sleep)


def _definitions(types: Mapping[str, str]) -> Any:
    return [{"FeatureName": feature, "FeatureType": kind} for feature, kind in types.items()]


def _describe(client: SageMakerClient, name: str) -> dict[str, Any] | None:
    """The whole group: its definitions come in pages."""
    try:
        page = cast(dict[str, Any], client.describe_feature_group(FeatureGroupName=name))
        group = page
        while page.get("NextToken"):
            page = cast(
                dict[str, Any], client.describe_feature_group(FeatureGroupName=name, NextToken=page["NextToken"])
            )
            group["FeatureDefinitions"] += page["FeatureDefinitions"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFound":
            return None
        raise
    return group


def _create(
    client: SageMakerClient, name: str, types: Mapping[str, str], record_id: str, offline_uri: str, role_arn: str
) -> None:
    try:
        client.create_feature_group(
            FeatureGroupName=name,
            RecordIdentifierFeatureName=record_id,
            EventTimeFeatureName=EVENT_TIME,
            FeatureDefinitions=_definitions(types),
            OnlineStoreConfig={"EnableOnlineStore": True},
            OfflineStoreConfig={"S3StorageConfig": {"S3Uri": offline_uri}},
            RoleArn=role_arn,
        )
    except ClientError as error:
        # Another release made it in the meantime: the same group.
        if error.response["Error"]["Code"] != "ResourceInUse":
            raise


def _wait(client: SageMakerClient, name: str, sleep: Callable[[float], None]) -> dict[str, Any]:
    waited, pause = 0.0, 0.2
    while waited < _GROUP_WAIT_SECONDS:
        group = _describe(client, name) or {"FeatureGroupStatus": "Creating"}
        update = group.get("LastUpdateStatus", {}).get("Status", "Successful")
        if group["FeatureGroupStatus"] == "Created" and update == "Successful":
            return group
        if group["FeatureGroupStatus"] not in ("Creating", "Created") or update == "Failed":
            reason = group.get("FailureReason") or group.get("LastUpdateStatus", {}).get("FailureReason", "unknown")
            raise PlatformError(
                f"feature group {name} is {group['FeatureGroupStatus']}, last update {update}: {reason}",
                code="feature_group",
            )
        sleep(pause)
        waited, pause = waited + pause, min(5.0, pause * 1.5)
    raise PlatformError(f"feature group {name} was not ready after {_GROUP_WAIT_SECONDS:.0f} s", code="feature_group")


def _check_identity(group: Mapping[str, Any], name: str, record_id: str) -> None:
    identity = (group["RecordIdentifierFeatureName"], group["EventTimeFeatureName"])
    if identity != (record_id, EVENT_TIME):
        raise PlatformError(
            f"feature group {name} is identified by {identity}, not {(record_id, EVENT_TIME)}: use a new name",
            code="feature_group",
        )
