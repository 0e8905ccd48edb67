"""Requests for a decision, in the table of releases. Every write is conditional, so a decision is made only once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from tenant_experience.aws.release_table import dynamodb, key_of
from tenant_experience.environment import setting
from tenant_experience.errors import UserError
from tenant_experience.release.approval import Approval, ApprovalSummary, Decision


def _is_condition_failure(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def open_approval(approval: Approval, task_token: str, *, now: int) -> Approval:
    """Writes a request for a decision. An existing request gets the task token that waits now.

    Returns:
        The approval as stored. A pending one keeps its expiry, so that the link sent before stays valid, unless it has
        expired (the execution was redriven later): then the decision is requested anew. A decided one keeps its
        decision.
    """
    fresh = "SET task_token = :token, execution_arn = :execution, #status = :pending, summary = :summary, expires_at = "
    updates = (
        (
            fresh + "if_not_exists(expires_at, :expires)",
            "attribute_not_exists(id) OR #status = :pending AND expires_at > :now",
        ),
        (fresh + ":expires REMOVE mailed", "#status = :pending AND expires_at <= :now"),
    )
    for update, condition in updates:
        try:
            stored = dynamodb().update_item(
                TableName=setting("RELEASE_TABLE"),
                Key=key_of("approval", approval.approval_id),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={
                    ":token": {"S": task_token},
                    ":execution": {"S": approval.execution_arn},
                    ":pending": {"S": "pending"},
                    ":expires": {"N": str(approval.expires_at)},
                    ":summary": {"S": json.dumps(approval.summary.as_document())},
                    ":now": {"N": str(now)},
                },
                ReturnValues="ALL_NEW",
            )["Attributes"]
        except ClientError as error:
            if not _is_condition_failure(error):
                raise
        else:
            return _approval(stored)
    return renew_token(approval.approval_id, task_token)


def renew_token(approval_id: str, task_token: str) -> Approval:
    """Gives a decided approval the token of the execution that waits for it now (after a redrive)."""
    stored = dynamodb().update_item(
        TableName=setting("RELEASE_TABLE"),
        Key=key_of("approval", approval_id),
        UpdateExpression="SET task_token = :token REMOVE delivered",
        ExpressionAttributeValues={":token": {"S": task_token}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    return _approval(stored)


def mark_mailed(approval_id: str) -> None:
    """Records that the e-mail was sent."""
    _note(approval_id, "mailed")


def read_approval(approval_id: str) -> tuple[Approval, str]:
    """An approval and the task token that waits for it.

    Raises:
        UserError: ``unknown_approval``.
    """
    item = (
        dynamodb()
        .get_item(TableName=setting("RELEASE_TABLE"), Key=key_of("approval", approval_id), ConsistentRead=True)
        .get("Item")
    )
    if item is None:
        raise UserError("this approval does not exist", code="unknown_approval")
    return _approval(item), item["task_token"]["S"]


def decide(
    approval: Approval, decision: Decision, *, approver: str, reason: str, decided_at: str, now: int
) -> Approval:
    """Records a decision, once.

    Raises:
        UserError: ``already_decided`` when it was decided before, or the time to decide is over.
    """
    try:
        stored = dynamodb().update_item(
            TableName=setting("RELEASE_TABLE"),
            Key=key_of("approval", approval.approval_id),
            UpdateExpression="SET #status = :status, approver = :approver, #reason = :reason, decided_at = :decided_at",
            ConditionExpression="#status = :pending AND expires_at > :now AND execution_arn = :execution",
            ExpressionAttributeNames={"#status": "status", "#reason": "reason"},
            ExpressionAttributeValues={
                ":status": {"S": decision},
                ":approver": {"S": approver},
                ":reason": {"S": reason},
                ":decided_at": {"S": decided_at},
                ":pending": {"S": "pending"},
                ":now": {"N": str(now)},
                ":execution": {"S": approval.execution_arn},
            },
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except ClientError as error:
        if _is_condition_failure(error):
            raise UserError(
                "this release is already decided, or the time to decide is over", code="already_decided"
            ) from error
        raise
    return _approval(stored)


def mark_delivered(approval_id: str) -> None:
    """Records that the waiting execution has received the decision."""
    _note(approval_id, "delivered")


def _note(approval_id: str, attribute: str) -> None:
    dynamodb().update_item(
        TableName=setting("RELEASE_TABLE"),
        Key=key_of("approval", approval_id),
        UpdateExpression=f"SET {attribute} = :yes",
        ConditionExpression="attribute_exists(id)",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )


def _approval(item: Mapping[str, Any]) -> Approval:
    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    return Approval(
        approval_id=item["id"]["S"].removeprefix("approval#"),
        execution_arn=item["execution_arn"]["S"],
        expires_at=int(item["expires_at"]["N"]),
        status=item["status"]["S"],
        summary=ApprovalSummary.read(json.loads(item["summary"]["S"])),
        mailed="mailed" in item,
        delivered="delivered" in item,
        approver=text("approver"),
        reason=text("reason"),
        decided_at=text("decided_at"),
    )
