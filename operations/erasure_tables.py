"""Erasing a tenant from the stack's tables and from the online Feature Store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3

from operations.account import Stack
from operations.erasure_findings import Place
from tenant_experience.erasure.id import ErasedId
from tenant_experience.features.ingestion import EVENT_TIME, event_time_after


def erase_items(table: str, erased: ErasedId, *, removes: bool) -> Place:
    """Looks through every item. An item whose key is the id goes; a text that says the id stays without it."""
    client = boto3.client("dynamodb")
    keys = {each["AttributeName"] for each in client.describe_table(TableName=table)["Table"]["KeySchema"]}
    place = Place(f"table {table}", "items")
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for item in page["Items"]:
            place.units += 1
            clean = {name: _blotted(value, erased) for name, value in item.items()}
            changed = [name for name in item if clean[name] != item[name]]
            place.found += len(changed)
            if not changed or not removes:
                continue
            if keys.intersection(changed):
                client.delete_item(TableName=table, Key={name: item[name] for name in keys})
            else:
                client.put_item(TableName=table, Item=clean)
            place.removed += len(changed)
            place.changes.append(f"item of {table}: {', '.join(changed)}")
    return place


def erase_record(stack: Stack, use_case: str, erased: ErasedId, *, removes: bool) -> Place:
    """Removes the tenant's record from the online store, whole; the offline store is objects of the bucket.

    The offline store is left out of the deletion: it would get one more row, which says the id and that it is gone.
    """
    group = f"{stack.project}-{use_case}"
    place = Place(f"online feature group {group}", "records asked for", units=len(erased.forms))
    control, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-featurestore-runtime")
    if not _exists(control, group):
        return place
    for form in erased.forms:
        answer = runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString=form)
        record = {value["FeatureName"]: value["ValueAsString"] for value in answer.get("Record", [])}
        place.found += bool(record)
        if removes:
            # Also when nothing is read: a record that was softly deleted is not read, and still is there.
            runtime.delete_record(
                FeatureGroupName=group,
                RecordIdentifierValueAsString=form,
                EventTime=event_time_after(datetime.now(UTC), record.get(EVENT_TIME)),
                TargetStores=["OnlineStore"],
                DeletionMode="HardDelete",
            )
            place.removed += bool(record)
            place.changes += [f"record of {group}: deleted"] if record else []
    return place


def _exists(control: Any, group: str) -> bool:
    names = control.list_feature_groups(NameContains=group)["FeatureGroupSummaries"]
    return group in [each["FeatureGroupName"] for each in names]


def _blotted(value: Any, erased: ErasedId) -> Any:
    """An attribute value without the id in its texts."""
    if isinstance(value, str):
        return erased.blot_out(value) if erased.is_in_line(value) or erased.is_value(value) else value
    if isinstance(value, dict):
        return {key: _blotted(item, erased) for key, item in value.items()}
    if isinstance(value, list):
        return [_blotted(item, erased) for item in value]
    return value
