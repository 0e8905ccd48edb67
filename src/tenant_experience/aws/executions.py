"""Step Functions: starting a release, and passing a decision to the one that waits for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.release.failure import Failure

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_MAX_DESCRIBED = 10
_NOBODY_WAITS = {"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"}


@cache
def stepfunctions() -> SFNClient:
    """One client per process, made on first use."""
    return boto3.client("stepfunctions")


def start(name: str, execution_input: Mapping[str, Any]) -> None:
    """Starts an execution called ``name``, unless an execution of that name exists or existed.

    While that one runs, Step Functions answers as if it had just started it; afterwards it refuses the name.
    """
    _start(setting("STATE_MACHINE"), name, execution_input)


def start_roll_back(name: str, execution_input: Mapping[str, Any]) -> bool:
    """Starts a roll-back called ``name``; False when one of that name and with another input exists or existed."""
    return _start(setting("ROLL_BACK_MACHINE"), name, execution_input)


def _start(machine: str, name: str, execution_input: Mapping[str, Any]) -> bool:
    try:
        stepfunctions().start_execution(
            stateMachineArn=machine, name=name, input=json.dumps(execution_input, sort_keys=True)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise
        return False
    return True


def last_state(execution_arn: str) -> str:
    """The state that an execution entered last; empty before its first.

    Raises:
        botocore.exceptions.ClientError: Step Functions refuses to say.
    """
    newest = stepfunctions().get_execution_history(
        executionArn=execution_arn, reverseOrder=True, includeExecutionData=False, maxResults=100
    )["events"]
    entered = (event["stateEnteredEventDetails"]["name"] for event in newest if "stateEnteredEventDetails" in event)
    return next(entered, "")


def failed_shards(execution_arn: str) -> list[Failure]:
    """Why shards of the newest Map Run of an execution failed; the newest failure comes first.

    Raises:
        botocore.exceptions.ClientError: Step Functions refuses to say.
    """
    client = stepfunctions()
    runs = client.list_map_runs(executionArn=execution_arn)["mapRuns"]
    if not runs:
        return []
    newest = max(runs, key=lambda run: run["startDate"])["mapRunArn"]
    children = client.list_executions(mapRunArn=newest, statusFilter="FAILED")["executions"]
    children += client.list_executions(mapRunArn=newest, statusFilter="TIMED_OUT")["executions"]
    children.sort(key=lambda child: child["stopDate"], reverse=True)  # a redriven Map Run has earlier failures, too
    return [_failure(child["executionArn"]) for child in children[:_MAX_DESCRIBED]]


def _failure(child_arn: str) -> Failure:
    child = stepfunctions().describe_execution(executionArn=child_arn)
    shard = json.loads(child.get("input", "{}")).get("shard")
    return Failure(child.get("error") or child["status"], child.get("cause", ""), shard)


def answer(task_token: str, output: Mapping[str, Any]) -> None:
    """Lets a waiting execution continue.

    Raises:
        UserError: ``nobody_waits`` when the execution has ended or moved on.
        PlatformError: ``not_delivered`` when it cannot be reached at the moment.
    """
    try:
        stepfunctions().send_task_success(taskToken=task_token, output=json.dumps(output))
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in _NOBODY_WAITS:
            raise UserError("the release is no longer waiting for this decision", code="nobody_waits") from error
        raise PlatformError(
            f"the decision could not be passed to the waiting execution: {error}", code="not_delivered"
        ) from error
