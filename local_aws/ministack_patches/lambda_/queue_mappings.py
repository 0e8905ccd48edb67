"""Event source mappings of queues: what AWS refuses, the role that reads the queue, batches, and what failed in them.

MiniStack passes messages on as soon as they arrive, at most ten at a time, reads queues without asking the function's
role, and takes a batch for done when its failures name no message of it.
Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html and
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import contextvars
import functools
import json
import logging
import time
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from local_aws.ministack_patches.iam import permissions
from local_aws.ministack_patches.iam.permissions import Action, Session
from local_aws.ministack_patches.lambda_.queue_batches import Batches

logger = logging.getLogger("queue mappings")

Mapping = dict[str, Any]

_RIGHTS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_BATCH_SIZE, _WINDOW = "BatchSize", "MaximumBatchingWindowInSeconds"
_DEFAULTS: dict[str, Any] = {_BATCH_SIZE: 10, _WINDOW: 0, "FunctionResponseTypes": [], "Enabled": True}
_MOST_MESSAGES, _MOST_WITHOUT_WINDOW, _LONGEST_WINDOW_S = 10_000, 10, 300

_polled: contextvars.ContextVar[Mapping | None] = contextvars.ContextVar("local_aws_polled_mapping", default=None)
_batches = Batches()
_concurrency = lambda_svc._sqs_esm_concurrency
_receive = sqs._receive_messages_for_esm
_create = lambda_svc._create_esm
_update = lambda_svc._update_esm
_handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
_create_resource = _handlers["create"]
_update_resource = _handlers["update"]


def install() -> None:
    """Put the checks before mappings are made, and the batches between queue and function."""
    lambda_svc._create_esm = _create_checked
    lambda_svc._update_esm = _update_checked
    _handlers["create"] = _create_resource_checked
    _handlers["update"] = _update_resource_checked
    lambda_svc._sqs_esm_concurrency = _concurrency_of_allowed
    sqs._receive_messages_for_esm = _receive_batch
    lambda_svc._run_sqs_batch = _run_batch


def _refusal(mapping: Mapping) -> str | None:
    """AWS's sentence about a mapping of a queue that it does not take; None for all others."""
    source = str(mapping.get("EventSourceArn", ""))
    function, config, name = lambda_svc._get_func_record_for_ref_in_scope(str(mapping.get("FunctionName", "")))
    if ":sqs:" not in source or not function or not config:
        return None
    queue = sqs._queue_by_arn(source)
    if queue is None:
        return (
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist for this wsdl version."
        )
    session = Session(config.get("Role", ""), name)
    for right in _RIGHTS:
        if not permissions.is_allowed(session, Action(f"sqs:{right}", source)):
            return f"The function execution role does not have permissions to call {right} on SQS"
    return _wrong_setting(mapping, is_fifo=queue["is_fifo"]) or _short_visibility(queue, config)


def _wrong_setting(mapping: Mapping, *, is_fifo: bool) -> str | None:
    size, window = int(mapping.get(_BATCH_SIZE) or 10), int(mapping.get(_WINDOW) or 0)
    if is_fifo and window:
        return "Batching window is not supported for FIFO queues."
    most = _MOST_WITHOUT_WINDOW if is_fifo else _MOST_MESSAGES
    if not 1 <= size <= most:
        return f"BatchSize {size} of a queue must be between 1 and {most}."
    if not 0 <= window <= _LONGEST_WINDOW_S:
        return f"{_WINDOW} {window} must be between 0 and {_LONGEST_WINDOW_S}."
    if size > _MOST_WITHOUT_WINDOW and window == 0:
        return "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    concurrency = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency")
    if concurrency is not None and not 2 <= int(concurrency) <= 1000:
        return f"MaximumConcurrency {concurrency} must be between 2 and 1000."
    return None


def _short_visibility(queue: dict[str, Any], config: dict[str, Any]) -> str | None:
    visibility, limit = int(queue["attributes"]["VisibilityTimeout"]), int(config.get("Timeout", 3))
    if visibility >= limit:
        return None
    return f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {limit} seconds"


def _create_checked(data: Mapping) -> Any:
    refused = _refusal(data)
    return _create(data) if refused is None else error_response_json("InvalidParameterValueException", refused, 400)


def _update_checked(mapping_id: str, data: Mapping) -> Any:
    refused = _refusal({**lambda_svc._esms.get(mapping_id, {}), **data})
    if refused is None:
        return _update(mapping_id, data)
    return error_response_json("InvalidParameterValueException", refused, 400)


@functools.wraps(_create_resource)  # CloudFormation looks at the signature
def _create_resource_checked(logical_id: str, props: Mapping, stack_name: str) -> Any:
    outcome = _create_resource(logical_id, _accepted(props), stack_name)
    _show_state(outcome[0])
    return outcome


@functools.wraps(_update_resource)
def _update_resource_checked(physical_id: str, old_props: Mapping, new_props: Mapping, stack_name: str) -> Any:
    """Update a template's mapping. What the template does not name any more gets its default."""
    wanted = _accepted(new_props)
    outcome = _update_resource(physical_id, old_props, wanted, stack_name)
    for name in old_props.keys() - new_props.keys():
        if name in _DEFAULTS:
            lambda_svc._esms[outcome[0]][name] = _DEFAULTS[name]
        else:
            lambda_svc._esms[outcome[0]].pop(name, None)
    _show_state(outcome[0])
    return outcome


def _accepted(props: Mapping) -> Mapping:
    """A template's properties with numbers and truth values, as which strings count too.

    Raises:
        ValueError: AWS refuses them.
    """
    numbers = {name: int(props[name]) for name in (_BATCH_SIZE, _WINDOW) if name in props}
    wanted = {**props, **numbers, "Enabled": str(props.get("Enabled", True)).lower() != "false"}
    refused = _refusal(wanted)
    if refused is not None:
        raise ValueError(f"Invalid request provided: {refused} (Service: Lambda, Status Code: 400)")
    return wanted


def _show_state(mapping_id: str) -> None:
    mapping = lambda_svc._esms[mapping_id]
    mapping["State"] = "Enabled" if mapping["Enabled"] else "Disabled"


def _concurrency_of_allowed(mapping: Mapping, function: dict[str, Any], config: dict[str, Any], *more: Any) -> int:
    """How many batches of a mapping may run at once: none while the function's role may not read the queue."""
    _polled.set(mapping)
    session, queue = Session((config or {}).get("Role", ""), mapping["FunctionName"]), mapping["EventSourceArn"]
    missing = [r for r in _RIGHTS if not permissions.is_allowed(session, Action(f"sqs:{r}", queue))]
    if missing:
        mapping["LastProcessingResult"] = (
            f"PROBLEM: The function execution role does not have permissions to call {missing[0]} on SQS"
        )
        return 0
    return int(_concurrency(mapping, function, config, *more))


def _receive_batch(queue_url: str, _most: int) -> list[dict[str, Any]]:
    mapping = _polled.get() or {}
    return _batches.take(
        mapping.get("UUID", ""),
        size=int(mapping.get(_BATCH_SIZE) or 10),
        window_s=int(mapping.get(_WINDOW) or 0),
        receive=lambda most: _receive(queue_url, most),
    )


def _run_batch(
    mapping: Mapping,
    function: dict[str, Any],
    event: dict[str, Any],
    batch: list[dict[str, Any]],
    queue_url: str,
    queue_name: str,
) -> None:
    """Call the function with a batch and delete what it has done. The rest returns when its visibility time-out ends.

    A function that raises, is throttled, killed or too slow has done nothing of its batch.
    """
    handles = {message["id"]: message["receipt_handle"] for message in batch}
    sent = {record["messageId"] for record in event["Records"]}  # the rest did not pass the mapping's filter
    result = lambda_svc._execute_function(function, event)
    failed = sent if result.get("error") else _failed_ids(mapping, result.get("body"), sent)
    sqs._delete_messages_for_esm(queue_url, {handle for name, handle in handles.items() if name not in failed})
    if failed == sent:
        mapping["LastProcessingResult"] = "FAILED"
        lambda_svc._esm_backoff_until[mapping["UUID"]] = time.time() + lambda_svc._ESM_BACKOFF_SECONDS
    else:
        mapping["LastProcessingResult"] = f"OK - {len(sent) - len(failed)} records, {len(failed)} failures"
        lambda_svc._esm_backoff_until.pop(mapping["UUID"], None)
    if failed:
        reason = (
            json.dumps(result.get("body"), default=str)[:500] if result.get("error") else "reported by the function"
        )
        logger.warning(
            "%s: %d of %d messages of %s failed: %s",
            mapping["FunctionName"],
            len(failed),
            len(sent),
            queue_name,
            reason,
        )


def _failed_ids(mapping: Mapping, body: Any, sent: set[str]) -> set[str]:
    """The messages that a function reports as failed: all of them when the report is not in order."""
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return set()
    try:
        answer = json.loads(body) if isinstance(body, str) and body else body
        failures = (answer or {}).get("batchItemFailures") or []
        reported = {failure["itemIdentifier"] for failure in failures}
    except (ValueError, AttributeError, KeyError, TypeError):
        return sent
    return reported if reported <= sent else sent
