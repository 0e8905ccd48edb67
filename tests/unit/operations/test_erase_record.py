"""The online record that an erasure deletes: the tenant's own, by every form of its id, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.paginate import Paginator

from operations.erasure import tables
from operations.stack import Stack
from operations.tenant_ids import stored_ids
from tenant_experience.erasure.id import ErasedId


class OnlineStore:
    """Both clients of the Feature Store, for one group of records. Groups are listed in pages of ten, as AWS does."""

    def __init__(self, *tenants: str) -> None:
        self.tenants = set(tenants)

    groups: Sequence[str] = ("p-u",)

    def list_feature_groups(self, *, NameContains: str, NextToken: str = "0") -> dict[str, Any]:  # noqa: N803
        found, begin = [name for name in self.groups if NameContains in name], int(NextToken)
        page = {"FeatureGroupSummaries": [{"FeatureGroupName": name} for name in found[begin : begin + 10]]}
        return page | ({"NextToken": str(begin + 10)} if found[begin + 10 :] else {})

    def get_paginator(self, name: str) -> Paginator:
        model = {"input_token": "NextToken", "output_token": "NextToken", "result_key": "FeatureGroupSummaries"}
        return Paginator(getattr(self, name), model, None)

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
    place = tables.erase_record(
        cast(Stack, SimpleNamespace(project="p")), "u", ErasedId.of(tenant, case="sensitive"), removes=True
    )
    assert (place.found, place.removed) == (1, 1)
    assert store.tenants == others


@pytest.mark.parametrize("typed", ["t000014", "T000014", "t000014 "])
def test_a_record_from_before_case_was_declared_not_to_count_is_deleted(
    monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    store = OnlineStore("T000014", "t000014", "T000015")
    monkeypatch.setattr(tables, "boto3", SimpleNamespace(client=lambda _name: store))
    erased = ErasedId.of(*stored_ids(typed, "insensitive"), case="insensitive")
    place = tables.erase_record(cast(Stack, SimpleNamespace(project="p")), "u", erased, removes=True)
    assert (place.removed, store.tenants) == (2, {"T000015"})
    assert stored_ids(typed, "sensitive") == (typed.strip(),)


@pytest.mark.parametrize("others", [0, 9, 10, 25])
def test_the_group_is_found_behind_pages_of_groups_whose_names_contain_its_own(
    monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    store = OnlineStore("T000014", "T000015")
    store.groups = [*(f"p-u-{number}" for number in range(others)), "p-u"]
    monkeypatch.setattr(tables, "boto3", SimpleNamespace(client=lambda _name: store))
    erased = ErasedId.of("T000014", case="sensitive")
    place = tables.erase_record(cast(Stack, SimpleNamespace(project="p")), "u", erased, removes=True)
    assert (place.found, place.removed, store.tenants) == (1, 1, {"T000015"})
    store.groups = store.groups[:-1]
    assert tables.erase_record(cast(Stack, SimpleNamespace(project="p")), "u", erased, removes=True).found == 0
