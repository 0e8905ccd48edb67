"""The DynamoDB table of releases: its client, its keys, and the release pointer.

Items, by the key ``id``: ``live#<use_case>`` (the release pointer), ``release#<release>`` (what a release published,
kept for roll-back and audit), ``approval#<release>`` (one decision; see ``approvals``), ``features#<use_case>`` (the
releases whose features the online store was fed from; the state machine writes it).
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.release.release import LiveRelease

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@cache
def dynamodb() -> DynamoDBClient:
    """One client per process, made on first use."""
    return boto3.client("dynamodb")


def key_of(kind: str, name: str) -> dict[str, Any]:
    """The key of one item: ``<kind>#<name>``."""
    return {"id": {"S": f"{kind}#{name}"}}


def read_live(use_case: str) -> LiveRelease | None:
    """The release pointer of a use case, or None before its first release."""
    item = (
        dynamodb()
        .get_item(TableName=setting("RELEASE_TABLE"), Key=key_of("live", use_case), ConsistentRead=True)
        .get("Item")
    )
    if item is None:
        return None
    return LiveRelease(
        release=item["release"]["S"],
        started_at=item["started_at"]["S"],
        revision=int(item["revision"]["N"]),
        models=json.loads(item["models"]["S"]),
        previous=item["previous"]["S"] if "previous" in item else None,
        digests=json.loads(item["digests"]["S"]) if "digests" in item else {},  # absent from earlier versions' pointers
    )


def read_served_features(use_case: str, live: LiveRelease) -> list[str]:
    """The releases whose features the online store has, the latest last; that of ``live`` where nobody wrote it down.

    The first was the last batch that models were trained on; batches without training followed.
    """
    item = (
        dynamodb()
        .get_item(TableName=setting("RELEASE_TABLE"), Key=key_of("features", use_case), ConsistentRead=True)
        .get("Item")
    )
    return [live.release] if item is None else [each["S"] for each in item["releases"]["L"]]


def write_live(use_case: str, live: LiveRelease) -> None:
    """Moves the release pointer and records the release that it points to, in one transaction.

    Raises:
        PlatformError: ``pointer_moved`` when another release was published after it was read: read it again and retry.
    """
    content: dict[str, Any] = {
        "release": {"S": live.release},
        "started_at": {"S": live.started_at},
        "revision": {"N": str(live.revision)},
        "models": {"S": json.dumps(live.models, sort_keys=True)},
        "digests": {"S": json.dumps(live.digests, sort_keys=True)},
    }
    if live.previous is not None:
        content["previous"] = {"S": live.previous}
    table = setting("RELEASE_TABLE")
    try:
        dynamodb().transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": table,
                        "Item": {**key_of("live", use_case), **content},
                        "ConditionExpression": "attribute_not_exists(id) OR revision = :read",
                        "ExpressionAttributeValues": {":read": {"N": str(live.revision - 1)}},
                    }
                },
                {"Put": {"TableName": table, "Item": {**key_of("release", live.release), **content}}},
            ]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "TransactionCanceledException":
            raise
        raise PlatformError(
            f"the release pointer of {use_case} moved while {live.release} was being published", code="pointer_moved"
        ) from error
