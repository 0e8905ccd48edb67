"""Erases a tenant from the stack's tables and from the online Feature Store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3

from operations.erasure.findings import Place
from operations.stack import Stack
from tenant_experience import data_layout
from tenant_experience.erasure.id import ErasedId
from tenant_experience.features.ingestion import EVENT_TIME, event_time_after


def erase_items(table: str, erased: ErasedId, *, removes: bool) -> Place:
    """Search every item. An item with the id in its key is deleted; the id is removed from other texts."""
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
    """Delete the tenant's whole record from the online store. The offline store is erased as objects of the bucket.

    The deletion does not cover the offline store, because that would add a row with the id that marks it as deleted.
    """
    group = data_layout.feature_group(stack.project, use_case)
    place = Place(f"online feature group {group}", "records asked for", units=len(erased.ids))
    control, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-featurestore-runtime")
    if not _exists(control, group):
        return place
    for form in erased.ids:
        answer = runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString=form)
        record = {value["FeatureName"]: value["ValueAsString"] for value in answer.get("Record", [])}
        place.found += bool(record)
        if removes:
            # Even when nothing is read: a record that was soft-deleted is still stored, but not read.
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


def erase_answer(stack: Stack, use_case: str, erased: ErasedId, *, removes: bool) -> Place:
    """Delete the tenant's kept answer, by every form of its id."""
    table = stack.outputs["AnswerTableName"]
    place = Place(f"kept answers in {table}", "answers asked for", units=len(erased.ids))
    client = boto3.client("dynamodb")
    for form in erased.ids:
        key = {"record": {"S": f"{use_case}#{form}"}}
        found = "Item" in client.get_item(TableName=table, Key=key, ConsistentRead=True)
        place.found += found
        if found and removes:
            client.delete_item(TableName=table, Key=key)
            place.removed += 1
            place.changes.append(f"answer in {table}: deleted")
    return place


def _exists(control: Any, group: str) -> bool:
    pages = control.get_paginator("list_feature_groups").paginate(NameContains=group)  # other names may contain it
    return any(each["FeatureGroupName"] == group for page in pages for each in page["FeatureGroupSummaries"])


def _blotted(value: Any, erased: ErasedId) -> Any:
    """An attribute value without the id in its texts."""
    if isinstance(value, str):
        return erased.blot_out(value) if erased.is_in_line(value) or erased.is_value(value) else value
    if isinstance(value, dict):
        return {key: _blotted(item, erased) for key, item in value.items()}
    if isinstance(value, list):
        return [_blotted(item, erased) for item in value]
    return value
