"""A store that knows pseudonyms answers by the ids that are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tenant_experience.aws import feature_store_writer, pseudonym_key, served_features
from tenant_experience.pseudonyms import pseudonym
from tenant_experience.use_case import served as served_use_case
from tests.support.flow import Flow
from tests.support.waiting import until

USE_CASE = Path(__file__).parents[2] / "use_cases/tenant_experience/use_case.yaml"
GROUP = "pseudonyms-tenant_experience"
TYPES = ("tenant_id", "event_time", "portfolio_id", "as_of")


@pytest.fixture
def key(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """A key in Secrets Manager, and a feature group that the functions' code reads with it."""
    assert flow.bucket
    secret = boto3.client("secretsmanager").create_secret(Name="pseudonyms", SecretString="k" * 64)["ARN"]
    monkeypatch.setenv("PSEUDONYM_SECRET", secret)
    monkeypatch.setenv("PROJECT", "pseudonyms")
    control = boto3.client("sagemaker")
    control.create_feature_group(
        FeatureGroupName=GROUP,
        RecordIdentifierFeatureName="tenant_id",
        EventTimeFeatureName="event_time",
        FeatureDefinitions=[{"FeatureName": name, "FeatureType": "String"} for name in TYPES],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )
    until(lambda: control.describe_feature_group(FeatureGroupName=GROUP)["FeatureGroupStatus"] == "Created", "no group")
    pseudonym_key.read_key.cache_clear()
    yield b"k" * 64
    pseudonym_key.read_key.cache_clear()
    served_features.feature_store.cache_clear()
    control.delete_feature_group(FeatureGroupName=GROUP)


def test_tenants_are_read_by_their_pseudonyms_and_called_by_their_ids(key: bytes) -> None:
    store, use_case = feature_store_writer.runtime_client(), served_use_case.parse(USE_CASE.read_bytes())
    for tenant, portfolio in (("T1", "Elm Court"), ("T2", "Tower 7")):
        record = {"tenant_id": pseudonym(key, tenant), "event_time": "2026-11-20T10:00:00Z", "portfolio_id": portfolio}
        values = [{"FeatureName": name, "ValueAsString": value} for name, value in record.items()]
        store.put_record(FeatureGroupName=GROUP, Record=values)
    one = served_features.read_tenants(["T1"], use_case)
    assert {name: (tenant.tenant_id, tenant.portfolio_id) for name, tenant in one.items()} == {
        "T1": ("T1", "Elm Court")
    }
    many = served_features.read_tenants(["T2", "T1", "T3"], use_case)
    assert {name: tenant.tenant_id for name, tenant in many.items()} == {"T1": "T1", "T2": "T2"}
    assert served_features.read_tenants([pseudonym(key, "T1")], use_case) == {}
