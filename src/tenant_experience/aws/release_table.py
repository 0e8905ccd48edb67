"""The DynamoDB table of releases: its client, its keys, and the release pointer.

Items, by the key ``id``: ``live#<use_case>`` (the release pointer), ``release#<release>`` (what a release published,
kept for roll-back and audit), ``approval#<release>`` (one decision; see ``approvals``), and ``features#<use_case>`` of
earlier versions of this program (the releases whose features the online store was fed from, which the pointer now has).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.release.release import LivePartition, LiveRelease, ServedFeatures

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_ATTEMPTS = 20


@dataclass(frozen=True)
class Published:
    """What a release or a roll-back has published.

    Attributes:
        release: its id.
        use_case: whose pointer it moved; empty in records of earlier versions.
        live: the pointer right after it.
        after: whose publication came right before it; empty for the first.
    """

    release: str
    use_case: str
    live: LiveRelease
    after: str


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
    return None if item is None else _live(item)


def _live(item: Mapping[str, Any]) -> LiveRelease:
    release, started_at, revision = item["release"]["S"], item["started_at"]["S"], int(item["revision"]["N"])
    previous = item["previous"]["S"] if "previous" in item else None
    if "partitions" not in item:  # of an earlier version of this program
        models, digests = (json.loads(item[name]["S"]) if name in item else {} for name in ("models", "digests"))
        return LiveRelease.of_models(release, started_at, revision, models, previous, digests)
    partitions = {slug: LivePartition(**each) for slug, each in json.loads(item["partitions"]["S"]).items()}
    served = tuple(
        ServedFeatures(one, began, tuple(out), bool(again))
        for one, began, out, *again in json.loads(item["served"]["S"])
    )
    return LiveRelease(release, started_at, revision, partitions, previous, served)


def read_published(release: str) -> Published | None:
    """What the pointer said right after a release was published; None when it never was, or by nobody that is known."""
    table = setting("RELEASE_TABLE")
    item = dynamodb().get_item(TableName=table, Key=key_of("release", release), ConsistentRead=True).get("Item")
    if item is None:
        return None
    live = _live(item)
    after = item["after"]["S"] if "after" in item else live.previous or ""
    return Published(release, item["use_case"]["S"] if "use_case" in item else "", live, after)


def read_served_features(use_case: str, live: LiveRelease) -> tuple[ServedFeatures, ...]:
    """What the online store was fed from, the latest last; the release of ``live`` where nobody wrote it down."""
    if live.served:
        return live.served
    item = (
        dynamodb()
        .get_item(TableName=setting("RELEASE_TABLE"), Key=key_of("features", use_case), ConsistentRead=True)
        .get("Item")
    )
    releases = [live.release] if item is None else [each["S"] for each in item["releases"]["L"]]
    return tuple(ServedFeatures(release, live.started_at) for release in releases)


def move_live(use_case: str, release: str, move: Callable[[LiveRelease | None], LiveRelease | None]) -> LiveRelease:
    """Moves the release pointer, and tries again when somebody else moved it in between.

    Args:
        use_case: whose pointer it is.
        release: what is published.
        move: the pointer after it, from what it is now; None when nothing is left to do.

    Returns:
        The pointer as it is then.

    Raises:
        PlatformError: ``pointer_moved`` when others were always first.
        UserError: as ``move`` raises it.
    """
    for _ in range(_ATTEMPTS):
        current = read_live(use_case)
        if current is not None:
            current = replace(current, served=read_served_features(use_case, current))
        moved = move(current)
        if moved is None and current is not None:
            return current
        if moved is not None and write_live(use_case, moved, release):
            return moved
    raise PlatformError(
        f"the release pointer of {use_case} moved while {release} was being published", code="pointer_moved"
    )


def write_live(use_case: str, live: LiveRelease, release: str) -> bool:
    """Moves the release pointer and records what it says after ``release`` was published, in one transaction.

    The record names the one before it, so that it can be told what a release has replaced.

    Returns:
        Whether it was moved; False when it was moved by somebody else since it was read.
    """
    content: dict[str, Any] = {
        "release": {"S": live.release},
        "started_at": {"S": live.started_at},
        "revision": {"N": str(live.revision)},
        "partitions": {"S": json.dumps({slug: asdict(each) for slug, each in live.partitions.items()}, sort_keys=True)},
        "served": {"S": json.dumps([_served(each) for each in live.served])},
        "written_by": {"S": release},
    }
    if live.previous is not None:
        content["previous"] = {"S": live.previous}
    table = setting("RELEASE_TABLE")
    record = {"use_case": {"S": use_case}, "after": {"S": _written_by(use_case)}}
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
                {"Put": {"TableName": table, "Item": {**key_of("release", release), **content, **record}}},
            ]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "TransactionCanceledException":
            raise
        return False
    return True


def _served(fed: ServedFeatures) -> list[Any]:
    return [fed.release, fed.started_at, fed.without, *([True] if fed.again else [])]


def _written_by(use_case: str) -> str:
    """Whose publication the pointer was last moved by; empty before the first. The revision guards against others."""
    item = (
        dynamodb()
        .get_item(TableName=setting("RELEASE_TABLE"), Key=key_of("live", use_case), ConsistentRead=True)
        .get("Item", {})
    )
    return item.get("written_by", item.get("release", {})).get("S", "")
