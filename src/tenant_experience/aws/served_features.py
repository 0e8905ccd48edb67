"""The online Feature Store, as the API reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tenant_experience import data_layout
from tenant_experience.api.prediction import ServedTenant, read_record
from tenant_experience.aws.pseudonym_key import read_key
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.pseudonyms import pseudonym
from tenant_experience.use_case.served import ServedUseCase

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_featurestore_runtime import SageMakerFeatureStoreRuntimeClient

_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
_BATCH = 100  # BatchGetRecord's limit


@cache
def feature_store() -> SageMakerFeatureStoreRuntimeClient:
    """One client per process, made on first use."""
    return boto3.client("sagemaker-featurestore-runtime", config=_CONFIG)


def read_tenants(tenant_ids: Sequence[str], use_case: ServedUseCase) -> dict[str, ServedTenant]:
    """Each tenant's record; tenants without a record are left out.

    Args:
        tenant_ids: at most 100, without repetition.
        use_case: whose feature group is read, and what its records hold.

    Raises:
        PlatformError: ``features_unavailable``.
    """
    key = read_key()
    return read_stored({text if key is None else pseudonym(key, text): text for text in tenant_ids}, use_case)


def read_stored(asked: Mapping[str, str], use_case: ServedUseCase) -> dict[str, ServedTenant]:
    """Each record, by the id that it is wanted under; ids without a record are left out.

    Args:
        asked: the id that the store knows, which may be a pseudonym -> the id that it is wanted under; at most 100.
        use_case: whose feature group is read, and what its records hold.

    Raises:
        PlatformError: ``features_unavailable``.
    """
    if not 0 < len(asked) <= _BATCH:
        raise ValueError(f"{len(asked)} ids: BatchGetRecord takes 1 to {_BATCH}")
    group = data_layout.feature_group(setting("PROJECT"), use_case.name)
    try:
        if len(asked) == 1:
            (stored,) = asked
            found = feature_store().get_record(FeatureGroupName=group, RecordIdentifierValueAsString=stored)
            return {asked[stored]: _tenant(found["Record"], asked[stored], use_case)} if found.get("Record") else {}
        batch = feature_store().batch_get_record(
            Identifiers=[{"FeatureGroupName": group, "RecordIdentifiersValueAsString": list(asked)}]
        )
    except (ClientError, HTTPClientError) as error:
        raise PlatformError(f"feature group {group} cannot be read: {error}", code="features_unavailable") from error
    if batch["Errors"] or batch["UnprocessedIdentifiers"]:
        raise PlatformError(f"feature group {group} answered for only a part of the ids", code="features_unavailable")
    found_by_id = {asked[row["RecordIdentifierValueAsString"]]: row["Record"] for row in batch["Records"]}
    return {tenant_id: _tenant(record, tenant_id, use_case) for tenant_id, record in found_by_id.items()}


def _tenant(record: Iterable[Mapping[str, Any]], tenant_id: str, use_case: ServedUseCase) -> ServedTenant:
    """The tenant under the id that was asked for; the store may only know a pseudonym."""
    texts = {value["FeatureName"]: value["ValueAsString"] for value in record}
    return replace(read_record(texts, use_case), tenant_id=tenant_id)
