"""The online record that an erasure deletes: the tenant's own, by every form of its id, and nobody else's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from operations.erasure import tables
from operations.stack import Stack
from tenant_experience.erasure.id import ErasedId


class OnlineStore:
    """Both clients of the Feature Store, for one group of records."""

    def __init__(self, *tenants: str) -> None:
        self.tenants = set(tenants)

    def list_feature_groups(self, **_asked: object) -> dict[str, Any]:
        return {"FeatureGroupSummaries": [{"FeatureGroupName": "p-u"}]}

    def get_record(self, *, RecordIdentifierValueAsString: str, **_asked: object) -> dict[str, Any]:  # noqa: N803
        value = {"FeatureName": "event_time", "ValueAsString": "2026-11-01T00:00:00Z"}
        return {"Record": [value]} if RecordIdentifierValueAsString in self.tenants else {}

    def delete_record(self, *, RecordIdentifierValueAsString: str, **_asked: object) -> None:  # noqa: N803
        self.tenants.discard(RecordIdentifierValueAsString)


@pytest.mark.parametrize("tenant", ["t" * 64 + "-of-house-7", "Ren\u00e9e"])
def test_only_the_tenants_record_is_deleted_in_every_form(monkeypatch: pytest.MonkeyPatch, tenant: str) -> None:
    others = {tenant[:64] if len(tenant) > 64 else "Renee", "123"}
    store = OnlineStore(tenant, *others)
    monkeypatch.setattr(tables, "boto3", SimpleNamespace(client=lambda _name: store))
    place = tables.erase_record(cast(Stack, SimpleNamespace(project="p")), "u", ErasedId.of(tenant), removes=True)
    assert (place.found, place.removed) == (1, 1)
    assert store.tenants == others
