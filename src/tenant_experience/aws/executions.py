"""Step Functions: start a release, answer a waiting one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError, UserError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_NOBODY_WAITS = {"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"}


@cache
def stepfunctions() -> SFNClient:
    """One client per process, made on first use."""
    return boto3.client("stepfunctions")


def start(name: str, execution_input: Mapping[str, Any]) -> None:
    """Start an execution called ``name``, unless there is, or was, one of that name.

    While that one runs Step Functions answers as if it had started it just now; afterwards it refuses the name.
    """
    try:
        stepfunctions().start_execution(
            stateMachineArn=setting("STATE_MACHINE"), name=name, input=json.dumps(execution_input, sort_keys=True)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def answer(task_token: str, output: Mapping[str, Any]) -> None:
    """Let a waiting execution go on.

    Raises:
        UserError: ``nobody_waits`` when the execution has ended or moved on.
        PlatformError: ``not_delivered`` when it cannot be told just now.
    """
    try:
        stepfunctions().send_task_success(taskToken=task_token, output=json.dumps(output))
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOBODY_WAITS:
            raise UserError("the release is no longer waiting for this decision", code="nobody_waits") from error
        raise PlatformError(f"the waiting execution could not be told: {error}", code="not_delivered") from error
