"""Taking a release back by hand: the roll-back asks the approvers, as a release does."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence

import boto3

from operations.errors import OperationError
from operations.stack import Stack
from tenant_experience.data_layout import RELEASE_ID
from tenant_experience.release.take_back import PREFIX


def roll_back(
    stack: Stack, use_case: str, to: str, reason: str, partitions: Sequence[str] = (), *, features: bool = False
) -> str:
    """Start to take back what was released after a named release.

    Args:
        stack: where.
        use_case: whose models.
        to: the release whose models answer again.
        reason: why; everybody who is asked reads it.
        partitions: slugs; all when empty.
        features: whether the features of that release are served again.

    Returns:
        The id of the roll-back, which is also its execution's name.

    Raises:
        OperationError: the release was never published.
    """
    if len(reason.strip()) < 3:
        raise OperationError("say in at least 3 characters why: everybody who is asked reads it")
    if not RELEASE_ID.fullmatch(to) or not _was_published(stack, to):
        raise OperationError(f"release {to!r} was never published here; `tenx approvals` lists those that were")
    by = boto3.client("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    identity = "\n".join((use_case, to, *partitions, str(time.time_ns())))
    run = PREFIX + hashlib.sha256(identity.encode()).hexdigest()[:13]
    given = {
        "use_case": use_case,
        "to": to,
        "partitions": list(partitions),
        "features": features,
        "reason": f"{reason.strip()} (asked for by {by})",
    }
    boto3.client("stepfunctions").start_execution(
        stateMachineArn=stack.outputs["RollBackStateMachineArn"], name=run, input=json.dumps(given)
    )
    return run


def _was_published(stack: Stack, release: str) -> bool:
    found = boto3.client("dynamodb").get_item(
        TableName=stack.outputs["ReleaseTableName"], Key={"id": {"S": f"release#{release}"}}, ProjectionExpression="id"
    )
    return "Item" in found
