"""The feature group of a use case: created, extended and checked before anything is written to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from tenant_experience.errors import PlatformError
from tenant_experience.features.ingestion import EVENT_TIME

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

_GROUP_WAIT_SECONDS = 600.0


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
    """Creates the group, or adds the features that it lacks, and waits until it can be written to.

    Several instances or releases may call this at the same time.

    Args:
        client: the SageMaker client.
        name: the group's name.
        types: feature -> ``String`` or ``Fractional``.
        record_id: the record identifier, which never changes for a group.
        offline_uri: ``s3://bucket/prefix/`` of the offline store.
        role_arn: the role that the service writes there with.
        sleep: for tests.

    Raises:
        PlatformError: ``feature_group``; it exists with another identity or type, or was not ready after 10 minutes.
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
            f"feature group {name} holds {', '.join(other)} with another type. Types cannot be changed: use a new name",
            code="feature_group",
        )
    missing = {feature: kind for feature, kind in types.items() if feature not in present}
    if missing:
        _add_features(client, name, missing, sleep)


def _definitions(types: Mapping[str, str]) -> Any:
    return [{"FeatureName": feature, "FeatureType": kind} for feature, kind in types.items()]


def _describe(client: SageMakerClient, name: str) -> dict[str, Any] | None:
    """The whole group; its definitions come in pages."""
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
        # Another instance or release has created the same group in the meantime.
        if error.response["Error"]["Code"] != "ResourceInUse":
            raise


def _add_features(client: SageMakerClient, name: str, types: Mapping[str, str], sleep: Callable[[float], None]) -> None:
    try:
        client.update_feature_group(FeatureGroupName=name, FeatureAdditions=_definitions(types))
    except ClientError:
        # Another instance or release may have added the same features in the meantime.
        present = {item["FeatureName"] for item in _wait(client, name, sleep)["FeatureDefinitions"]}
        if not types.keys() <= present:
            raise
    else:
        _wait(client, name, sleep)


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
