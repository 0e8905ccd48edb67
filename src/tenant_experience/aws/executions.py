"""Step Functions: start a release, answer a waiting one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from tenant_experience.environment import setting
from tenant_experience.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_NOBODY_WAITS = {"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"}


@cache
def stepfunctions() -> SFNClient:
    """One client per process, made on first use."""
    return boto3.client("stepfunctions")


def start(name: str, execution_input: Mapping[str, Any]) -> bool:
    """Start an execution called ``name``; False when there is one of that name already."""
    try:
        stepfunctions().start_execution(
            stateMachineArn=setting("STATE_MACHINE"), name=name, input=json.dumps(execution_input, sort_keys=True)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
            return False
        raise
    return True


def answer(task_token: str, output: Mapping[str, Any]) -> None:
    """Let a waiting execution go on.

    Raises:
        UserError: ``nobody_waits`` when the execution has ended or moved on.
    """
    try:
        stepfunctions().send_task_success(taskToken=task_token, output=json.dumps(output))
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOBODY_WAITS:
            raise UserError("the release is no longer waiting for this decision", code="nobody_waits") from error
        raise
