"""Schedules that AWS refuses are refused, and a template's schedules keep all of their properties."""

from __future__ import annotations

import functools
import json
from typing import Any

from ministack.core import arn as arns
from ministack.services import scheduler
from ministack.services.cloudformation import provisioners

from local_aws.ministack_patches.iam import callers
from local_aws.ministack_patches.scheduler import expressions, targets

Body = dict[str, Any]

_JSON_TARGETS = ("events", "lambda", "states")
_LONGEST_WINDOW, _MOST_RETRIES, _SHORTEST_AGE_S, _LONGEST_AGE_S = 1440, 185, 60, 86400
_PROPERTIES = (
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
)

_create = scheduler._create_schedule
_update = scheduler._update_schedule
_handlers = provisioners._RESOURCE_HANDLERS["AWS::Scheduler::Schedule"]
_create_resource = _handlers["create"]
_delete_resource = _handlers["delete"]


def install() -> None:
    """Put the checks before schedules are made."""
    scheduler._create_schedule = _create_checked
    scheduler._update_schedule = _update_checked
    _handlers["create"] = _create_from_template
    _handlers["update"] = _update_from_template
    _handlers["update_with_logical_id"] = True


def _create_checked(name: str, body: Body) -> Any:
    refused = _refusal(body)
    return _create(name, body) if refused is None else scheduler._error(400, "ValidationException", refused)


def _update_checked(name: str, body: Body) -> Any:
    refused = _refusal(body)
    return _update(name, body) if refused is None else scheduler._error(400, "ValidationException", refused)


def _refusal(body: Body) -> str | None:
    """A sentence about a schedule that AWS or this package refuses."""
    target = body.get("Target") or {}
    if not (body.get("ScheduleExpression") and body.get("FlexibleTimeWindow") and target.get("Arn")):
        return None  # MiniStack refuses these
    try:
        expressions.parse(body["ScheduleExpression"], body.get("ScheduleExpressionTimezone") or "UTC")
    except expressions.ExpressionError as error:
        return str(error)
    if body.get("State", "ENABLED") not in ("ENABLED", "DISABLED"):
        return f"State {body['State']} must be ENABLED or DISABLED."
    if body.get("ActionAfterCompletion", "NONE") not in ("NONE", "DELETE"):
        return f"ActionAfterCompletion {body['ActionAfterCompletion']} must be NONE or DELETE."
    return _wrong_window(body["FlexibleTimeWindow"]) or _wrong_retries(target) or _wrong_target(target)


def _wrong_window(window: dict[str, Any]) -> str | None:
    minutes = window.get("MaximumWindowInMinutes")
    if window.get("Mode") not in ("OFF", "FLEXIBLE"):
        return f"FlexibleTimeWindow.Mode {window.get('Mode')} must be OFF or FLEXIBLE."
    if window["Mode"] == "OFF":
        return None if minutes is None else "MaximumWindowInMinutes must not be given when the Mode is OFF."
    if minutes is None or not 1 <= int(minutes) <= _LONGEST_WINDOW:
        return f"MaximumWindowInMinutes {minutes} must be between 1 and {_LONGEST_WINDOW}."
    return None


def _wrong_retries(target: dict[str, Any]) -> str | None:
    policy = target.get("RetryPolicy") or {}
    attempts, age = int(policy.get("MaximumRetryAttempts", 0)), int(policy.get("MaximumEventAgeInSeconds", 60))
    if not 0 <= attempts <= _MOST_RETRIES:
        return f"MaximumRetryAttempts {attempts} must be between 0 and {_MOST_RETRIES}."
    if not _SHORTEST_AGE_S <= age <= _LONGEST_AGE_S:
        return f"MaximumEventAgeInSeconds {age} must be between {_SHORTEST_AGE_S} and {_LONGEST_AGE_S}."
    return None


def _wrong_target(target: dict[str, Any]) -> str | None:
    arn = target["Arn"]
    try:
        service = arns.parse_arn(arn).service
    except arns.ArnParseError:
        return f"Provided Arn is not in correct format: {arn}"
    if service == "scheduler":
        return f"local-aws does not emulate universal targets: {arn}"
    if service not in targets.emulated():
        return f"local-aws does not emulate the target {arn}. It emulates {', '.join(targets.emulated())}."
    if service == "events":
        event = target.get("EventBridgeParameters") or {}
        if not event.get("DetailType") or not event.get("Source"):
            return "An event bus needs EventBridgeParameters with DetailType and Source."
        if event["Source"].startswith("aws."):
            return f"The Source {event['Source']} must not begin with aws."
    if service in _JSON_TARGETS and target.get("Input"):
        try:
            json.loads(target["Input"])
        except ValueError:
            return f"The Input of {arn} is not JSON."
    if not callers.trusts_service(target.get("RoleArn") or "", targets.SERVICE):
        return "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    return None


@functools.wraps(_create_resource)  # CloudFormation looks at the signature
def _create_from_template(logical_id: str, props: Body, stack_name: str) -> Any:
    name = props.get("Name") or provisioners._physical_name(stack_name, logical_id, max_len=64)
    _accept(_create_checked(name, _body(props)))
    return name, {"Arn": _arn(name, props)}


def _update_from_template(
    physical_id: str, old_props: Body, new_props: Body, stack_name: str, logical_id: str | None = None
) -> Any:
    """Update in place. Another name or group is another schedule."""
    name = new_props.get("Name") or physical_id
    if (name, _group(new_props)) != (physical_id, _group(old_props)):
        created = _create_from_template(logical_id or physical_id, {**new_props, "Name": name}, stack_name)
        _delete_resource(physical_id, old_props)
        return created
    _accept(_update_checked(physical_id, _body(new_props)))
    return physical_id, {"Arn": _arn(physical_id, new_props)}


def _body(props: Body) -> Body:
    return {name: props[name] for name in _PROPERTIES if props.get(name) is not None}


def _group(props: Body) -> str:
    return str(props.get("GroupName") or "default")


def _arn(name: str, props: Body) -> str:
    return str(scheduler._schedule_arn(_group(props), name))


def _accept(response: Any) -> None:
    status, _headers, body = response
    if status >= 400:
        raise ValueError(json.loads(body)["Message"])
