"""The online Feature Store, as the API reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.prediction import ServedTenant, read_record

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_featurestore_runtime import SageMakerFeatureStoreRuntimeClient

_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
_BATCH = 100  # BatchGetRecord's limit


@cache
def feature_store() -> SageMakerFeatureStoreRuntimeClient:
    """One client per process, made on first use."""
    return boto3.client("sagemaker-featurestore-runtime", config=_CONFIG)


def read_tenants(tenant_ids: Sequence[str]) -> dict[str, ServedTenant]:
    """What is served of each tenant; one that was never seen is absent.

    Args:
        tenant_ids: at most 100, each once.

    Raises:
        PlatformError: ``features_unavailable``.
    """
    if not 0 < len(tenant_ids) <= _BATCH:
        raise ValueError(f"{len(tenant_ids)} tenants: BatchGetRecord takes 1 to {_BATCH}")
    group = setting("FEATURE_GROUP")
    try:
        if len(tenant_ids) == 1:
            found = feature_store().get_record(FeatureGroupName=group, RecordIdentifierValueAsString=tenant_ids[0])
            return {tenant_ids[0]: _tenant(found["Record"])} if found.get("Record") else {}
        batch = feature_store().batch_get_record(
            Identifiers=[{"FeatureGroupName": group, "RecordIdentifiersValueAsString": list(tenant_ids)}]
        )
    except (ClientError, HTTPClientError) as error:
        raise PlatformError(f"feature group {group} cannot be read: {error}", code="features_unavailable") from error
    if batch["Errors"] or batch["UnprocessedIdentifiers"]:
        raise PlatformError(f"feature group {group} answered for a part only", code="features_unavailable")
    return {row["RecordIdentifierValueAsString"]: _tenant(row["Record"]) for row in batch["Records"]}


def _tenant(record: Iterable[Mapping[str, Any]]) -> ServedTenant:
    return read_record({value["FeatureName"]: value["ValueAsString"] for value in record})
