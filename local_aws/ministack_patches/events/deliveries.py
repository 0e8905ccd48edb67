"""Which services may call functions, and what functions' dead letters and logs need.

Rules and APIs call a function only when the function's policy allows it. A rule calls it asynchronously, with retries
and the function's dead-letter queue. This queue and the log group need rights of the function's role.
"""

from __future__ import annotations

import contextvars
import functools
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core import arn as arns
from ministack.core import responses
from ministack.services import apigateway_v1, cloudwatch_logs, eventbridge, lambda_svc, sns, sqs
from ministack.services.cloudformation import provisioners

from local_aws.ministack_patches.iam import permissions
from local_aws.ministack_patches.iam.action_log import LOG
from local_aws.ministack_patches.iam.permissions import Action, Session

logger = logging.getLogger("deliveries")
_EVENTS = "events.amazonaws.com"
_GATEWAY = "apigateway.amazonaws.com"
_delivery: contextvars.ContextVar[tuple[dict[str, Any], dict[str, Any]]] = contextvars.ContextVar("local_aws_delivery")

_invoke_target = eventbridge._invoke_target
_dispatch_to_sqs = eventbridge._dispatch_to_sqs
_call_from_gateway: Callable[..., Awaitable[tuple[Any, str | None]]] = apigateway_v1._call_lambda_raw
_topic_handlers = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
_create_topic_resource = _topic_handlers["create"]
_route_failure = lambda_svc._route_async_failure
_emit_logs = lambda_svc._emit_lambda_logs


def install() -> None:
    """Put the checks before the calls."""
    _topic_handlers["create"] = _create_topic
    eventbridge._invoke_target = _invoke_target_of
    eventbridge._dispatch_to_lambda = _dispatch_to_lambda
    apigateway_v1._call_lambda_raw = _call_function
    lambda_svc._route_async_failure = _send_to_dead_letters
    lambda_svc._emit_lambda_logs = _emit_where_allowed


def _invoke_target_of(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
    _delivery.set((target, rule))
    _invoke_target(target, event, rule, view)


def _dispatch_to_lambda(arn: str, payload: str) -> None:
    """Without the function's permission the event goes to the rule's dead-letter queue at once.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    target, rule = _delivery.get()
    function, config, name = lambda_svc._get_func_record_for_ref_in_scope(arn)
    may = Action("lambda:InvokeFunction", arn)
    if function and config and permissions.may_service(_EVENTS, may, function.get("policy"), rule["Arn"]):
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))
        return
    logger.warning("Rule %s may not invoke %s, or it does not exist", rule["Arn"], name)
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if not queue:
        return
    allowed = sqs.queue_policy_allows(queue, _EVENTS, rule["Arn"], responses.get_account_id())
    LOG.add(_EVENTS, "sqs:SendMessage", queue, allowed=allowed)
    if allowed:
        _dispatch_to_sqs(arns.parse_arn(queue), payload)


@functools.wraps(_create_topic_resource)  # CloudFormation looks at the signature
def _create_topic(*arguments: Any, **named: Any) -> Any:
    """Give a template's topic AWS's default policy. MiniStack's own has no condition and lets everyone publish."""
    outcome = _create_topic_resource(*arguments, **named)
    attributes = sns._topics[outcome[0]]["attributes"]
    policy = json.loads(attributes.get("Policy") or "{}")
    if policy.get("Id") == "__default_policy_ID":
        owner = {"StringEquals": {"AWS:SourceOwner": responses.get_account_id()}}
        policy["Statement"] = [{**statement, "Condition": owner} for statement in policy["Statement"]]
        attributes["Policy"] = json.dumps(policy)
    return outcome


async def _call_function(
    reference: str, event: dict[str, Any], *, account_id: str | None = None, region: str | None = None
) -> tuple[Any, str | None]:
    """API Gateway's call. Without the function's permission the answer is 500, as for a wrongly configured API.

    The client of a throttled function gets 500 too, and not Lambda's 429. Source:
    https://repost.aws/knowledge-center/api-gateway-internal-server-error
    """
    request = event.get("requestContext", {})
    function, config, name = lambda_svc._get_func_record_for_ref_in_scope(
        reference, account_id=account_id, region=region
    )
    if function and config and "apiId" in request:
        method = f"{request['stage']}/{request['httpMethod']}{request['resourcePath']}"
        home = f"{region or responses.get_region()}:{account_id or responses.get_account_id()}"
        source = f"arn:aws:execute-api:{home}:{request['apiId']}/{method}"
        may = Action("lambda:InvokeFunction", config["FunctionArn"])
        if not permissions.may_service(_GATEWAY, may, function.get("policy"), source):
            return None, f"Invalid permissions on Lambda function {name}"
    result, error = await _call_from_gateway(reference, event, account_id=account_id, region=region)
    if error is None and result.get("throttle"):
        return None, f"Lambda function {name} is throttled"
    return result, error


def _send_to_dead_letters(target: str, name: str, event: dict[str, Any], result: dict[str, Any]) -> None:
    """Send dead letters as the function's role. Without its rights they are lost (AWS counts DeadLetterErrors)."""
    config = lambda_svc._get_func_record_for_ref_in_scope(name)[1] or {}
    action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}.get(
        target.split(":")[2], "events:PutEvents"
    )
    refused = permissions.refusal(Session(config.get("Role", ""), name), Action(action, target))
    if refused is None:
        _route_failure(target, name, event, result)
    else:
        logger.error("Dead letter of %s: %s", name, refused)


def _emit_where_allowed(
    func: dict[str, Any], request_id: str, log_text: str, error: bool, duration_ms: int, **named: Any
) -> None:
    """Write logs as the function's role. Without its rights there are no logs, and the function still runs."""
    config = func.get("config") or func
    name = config.get("FunctionName", "")
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    arn = f"arn:aws:logs:{responses.get_region()}:{responses.get_account_id()}:log-group:{group}:log-stream:"
    needed = [Action("logs:CreateLogStream", arn), Action("logs:PutLogEvents", f"{arn}{name}")]
    if group not in cloudwatch_logs._log_groups:
        needed.insert(0, Action("logs:CreateLogGroup", arn))
    session = Session(config.get("Role", ""), name)
    if all(permissions.is_allowed(session, action) for action in needed):
        _emit_logs(func, request_id, log_text, error, duration_ms, **named)
