"""The DynamoDB table of the queue: an item for each row of a file, and row 0 for how far the file is.

A row and the counters of its file are written in one transaction, so that a row is counted exactly when it is kept,
however often its message comes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.queue.progress import FileProgress, State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
_IN_ONE_TRANSACTION = 99  # DynamoDB takes 100 items; one is the progress item
_ATTEMPTS = 12
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
# Codes of the whole transaction when something in it did not fit, or another holds one of its items at the moment.
_ELSEWHERE = {"TransactionCanceledException", "TransactionInProgressException", "TransactionConflictException"}
_CONFLICTS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_IS_THERE = "ConditionalCheckFailed"
_PROGRESS = "0"

Item = Mapping[str, str | float | int | None]


@cache
def dynamodb() -> DynamoDBClient:
    """One client per process, made on first use."""
    return boto3.client("dynamodb", config=_CONFIG)


def begin(file: str, use_case: str, created_at: str, expires_at: int) -> FileProgress:
    """Makes the progress item of a file, unless it is there; how far the file is."""
    item = _attributes({"use_case": use_case, "state": State.SPLITTING, "created_at": created_at})
    counts = {name: {"N": "0"} for name in ("sent", "scored", "failed", "done", "truths")}
    try:
        dynamodb().put_item(
            TableName=setting("INFERENCE_TABLE"),
            Item={**_key(file, _PROGRESS), **item, **counts, "expires_at": {"N": str(expires_at)}},
            ConditionExpression="attribute_not_exists(#file)",
            ExpressionAttributeNames={"#file": "file"},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
    found = read_progress(file)
    if found is None:
        raise PlatformError(f"the progress of {use_case} was written and is not there", code="progress_missing")
    return found


def read_progress(file: str) -> FileProgress | None:
    """How far a file is; None for one that is unknown."""
    found = dynamodb().get_item(TableName=setting("INFERENCE_TABLE"), Key=_key(file, _PROGRESS), ConsistentRead=True)
    return FileProgress.read(found["Item"]) if "Item" in found else None


def note_sent(file: str, rows: int) -> None:
    """Says how many rows have been sent so far."""
    _update(file, "SET sent = :rows", "#state = :splitting", {":rows": rows, ":splitting": State.SPLITTING})


def end_splitting(file: str, rows: int) -> bool:
    """Says how many rows there are, all of which have been sent; False when that was said before."""
    return _update(
        file,
        "SET #rows = :rows, sent = :rows, #state = :scoring",
        "#state = :splitting",
        {":rows": rows, ":scoring": State.SCORING, ":splitting": State.SPLITTING},
    )


def end_without_rows(file: str, state: State, reason: str, code: str) -> bool:
    """Says that no row of the file goes through the queue, and why; False when that was said before."""
    return _update(
        file,
        "SET #state = :state, reason = :reason, error_code = :code",
        "#state = :splitting",
        {":state": state, ":reason": reason, ":code": code, ":splitting": State.SPLITTING},
    )


def keep(file: str, items: Sequence[Item]) -> int:
    """Keeps rows that are not kept yet, and counts them; how many these were.

    Args:
        file: the file.
        items: ``row``, ``status``, ``truth`` where it is known, and what else is kept of each.
    """
    kept = 0
    for start in range(0, len(items), _IN_ONE_TRANSACTION):
        kept += _keep(file, list(items[start : start + _IN_ONE_TRANSACTION]))
    return kept


def _keep(file: str, items: list[Item]) -> int:
    for attempt in range(_ATTEMPTS):
        if not items:
            return 0
        try:
            dynamodb().transact_write_items(TransactItems=[*(_put(file, item) for item in items), _count(file, items)])
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ELSEWHERE:
                raise
            given: Any = error.response.get("CancellationReasons") or []
            codes = [str(reason.get("Code")) for reason in given]
            others = set(codes) - {"None", _IS_THERE}
            if others and not others & _CONFLICTS:
                raise
            if _IS_THERE in codes:
                items = [item for item, code in zip(items, codes, strict=False) if code != _IS_THERE]
                continue
            pause = min(_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
        else:
            return len(items)
    raise PlatformError("the rows could not be kept: too many others were at the same time", code="table_busy")


def _put(file: str, item: Item) -> Any:
    return {
        "Put": {
            "TableName": setting("INFERENCE_TABLE"),
            "Item": {"file": {"S": file}, **_attributes(item)},
            "ConditionExpression": "attribute_not_exists(#file)",
            "ExpressionAttributeNames": {"#file": "file"},
        }
    }


def _count(file: str, items: Sequence[Item]) -> Any:
    scored = sum(item["status"] == "scored" for item in items)
    truths = sum(item["status"] == "scored" and item.get("truth") is not None for item in items)
    counts = {":scored": scored, ":failed": len(items) - scored, ":done": len(items), ":truths": truths}
    return {
        "Update": {
            "TableName": setting("INFERENCE_TABLE"),
            "Key": _key(file, _PROGRESS),
            "UpdateExpression": "ADD scored :scored, failed :failed, done :done, truths :truths",
            "ExpressionAttributeValues": {name: {"N": str(value)} for name, value in counts.items()},
        }
    }


def claim_completion(file: str, now: int, lease_seconds: int) -> FileProgress | None:
    """Makes the caller the one who tells that a file is complete; None when it is not, or somebody else tells it.

    Whoever died before it had told leaves the telling to the next who asks after ``lease_seconds``.
    """
    claimed = _update(
        file,
        "SET #state = :complete, completed_at = if_not_exists(completed_at, :now), claimed_until = :until",
        "(#state = :scoring AND done = #rows) OR "
        "(#state = :complete AND attribute_not_exists(told_at) AND claimed_until < :now)",
        {
            ":complete": State.COMPLETE,
            ":scoring": State.SCORING,
            ":now": now,
            ":until": now + lease_seconds,
        },
    )
    return read_progress(file) if claimed else None


def note_told(file: str, now: int) -> None:
    """Says that it was told that the file is complete."""
    _update(file, "SET told_at = :now", "#state = :complete", {":now": now, ":complete": State.COMPLETE})


def read_rows(file: str) -> Iterator[dict[str, Any]]:
    """Every row of a file, in order, a page at a time: attribute -> text or number."""
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=setting("INFERENCE_TABLE"),
            KeyConditionExpression="#file = :file AND #row > :zero",
            ExpressionAttributeNames={"#file": "file", "#row": "row"},
            ExpressionAttributeValues={":file": {"S": file}, ":zero": {"N": _PROGRESS}},
            ConsistentRead=True,
        )
    )
    for page in pages:
        for item in page["Items"]:
            yield {name: _value(value) for name, value in item.items()}


def _update(file: str, change: str, condition: str, values: Mapping[str, str | int]) -> bool:
    """Changes the progress item where the condition holds; whether it did."""
    names = {"#state": "state", "#rows": "rows"}
    try:
        dynamodb().update_item(
            TableName=setting("INFERENCE_TABLE"),
            Key=_key(file, _PROGRESS),
            UpdateExpression=change,
            ConditionExpression=condition,
            ExpressionAttributeNames={name: own for name, own in names.items() if name in change + condition},
            ExpressionAttributeValues={name: _attribute(value) for name, value in values.items()},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _key(file: str, row: str) -> dict[str, Any]:
    return {"file": {"S": file}, "row": {"N": row}}


def _attributes(item: Item) -> dict[str, Any]:
    return {name: _attribute(value) for name, value in item.items() if value is not None}


def _attribute(value: str | float | int) -> Any:
    return {"S": str(value)} if isinstance(value, str) else {"N": repr(value)}


def _value(attribute: Mapping[str, Any]) -> str | float:
    return float(attribute["N"]) if "N" in attribute else str(attribute["S"])
