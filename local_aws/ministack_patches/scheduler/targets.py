"""Calls a schedule's target as the schedule's role."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core import arn as arns
from ministack.services import eventbridge, lambda_svc, sns, sqs
from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.iam import callers, permissions
from local_aws.ministack_patches.iam.permissions import Action, Session

SERVICE = "scheduler.amazonaws.com"
Target = dict[str, Any]


class TargetError(Exception):
    """The target was not reached.

    Attributes:
        code: as the target's service names it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def call(target: Target, payload: str, schedule: str) -> None:
    """Call a target once.

    Args:
        target: the schedule's.
        payload: with its context attributes replaced.
        schedule: its name, which is shown in the role's session.

    Raises:
        TargetError: the role may not, or the target is not there or refuses.
    """
    service, arn = arns.parse_arn(target["Arn"]).service, target["Arn"]
    action, deliver = _TARGETS[service]
    _check(target, Action(action, arn, _event_conditions(target)), schedule)
    deliver(target, payload)


def send_dead_letter(target: Target, payload: str, attributes: dict[str, str], schedule: str) -> None:
    """Put an event that has failed for good into the schedule's dead-letter queue.

    Raises:
        TargetError: the role may not, or there is no such queue.
    """
    queue = target["DeadLetterConfig"]["Arn"]
    _check(target, Action("sqs:SendMessage", queue), schedule)
    named = {name: {"DataType": "String", "StringValue": value[:1000]} for name, value in attributes.items() if value}
    _send(queue, {"MessageBody": payload, "MessageAttributes": named})


def emulated() -> list[str]:
    """The services whose targets are called."""
    return sorted(_TARGETS)


def _check(target: Target, action: Action, schedule: str) -> None:
    role = target["RoleArn"]
    if not callers.trusts_service(role, SERVICE):
        raise TargetError("AccessDeniedException", f"{SERVICE} may not assume {role}, or there is no such role.")
    refused = permissions.refusal(Session(role, schedule), action)
    if refused is not None:
        raise TargetError("AccessDeniedException", refused)


def _event_conditions(target: Target) -> dict[str, str]:
    event = target.get("EventBridgeParameters") or {}
    return {"events:source": event["Source"], "events:detail-type": event["DetailType"]} if event else {}


def _invoke(target: Target, payload: str) -> None:
    """Invoke a function asynchronously: its errors are retried by Lambda, and not by the schedule."""
    function, config, name = lambda_svc._get_func_record_for_ref_in_scope(target["Arn"])
    if not function or not config:
        raise TargetError("ResourceNotFoundException", f"Function not found: {name}")
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), json.loads(payload))


def _start(target: Target, payload: str) -> None:
    status, _headers, body = sfn._start_execution({"stateMachineArn": target["Arn"], "input": payload})
    if status >= 400:
        answer = json.loads(body)
        raise TargetError(answer.get("__type", "StateMachineDoesNotExist"), answer.get("message", ""))


def _put_event(target: Target, payload: str) -> None:
    event = target["EventBridgeParameters"]
    bus = arns.parse_arn(target["Arn"]).resource.partition("/")[2]
    if bus not in eventbridge._event_buses:
        raise TargetError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
    entry = {"Source": event["Source"], "DetailType": event["DetailType"], "Detail": payload, "EventBusName": bus}
    (result,) = json.loads(eventbridge._put_events({"Entries": [entry]})[2])["Entries"]
    if "ErrorCode" in result:
        raise TargetError(result["ErrorCode"], result["ErrorMessage"])


def _send_message(target: Target, payload: str) -> None:
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    _send(target["Arn"], {"MessageBody": payload, **({"MessageGroupId": group} if group else {})})


def _send(queue_arn: str, message: dict[str, Any]) -> None:
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        raise TargetError("AWS.SimpleQueueService.NonExistentQueue", f"There is no queue {queue_arn}.")
    try:
        sqs._act_send_message({"QueueUrl": queue["url"], **message}, queue["url"])
    except sqs._Err as error:
        raise TargetError(error.code, error.message) from error


def _publish(target: Target, payload: str) -> None:
    try:
        published = sns.publish_internal(target["Arn"], payload, "")
    except sns.SnsPublishError as error:
        raise TargetError("AuthorizationErrorException", str(error)) from error
    if published is None:
        raise TargetError("NotFoundException", f"There is no topic {target['Arn']}.")


_TARGETS: dict[str, tuple[str, Callable[[Target, str], None]]] = {
    "events": ("events:PutEvents", _put_event),
    "lambda": ("lambda:InvokeFunction", _invoke),
    "sns": ("sns:Publish", _publish),
    "sqs": ("sqs:SendMessage", _send_message),
    "states": ("states:StartExecution", _start),
}
