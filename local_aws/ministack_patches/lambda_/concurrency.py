"""How many functions run at once: a limit for the account, reserved concurrency, and no more workers than the limit.

MiniStack counts the calls that run and throttles them. What it leaves out is mended here:

- Idle workers end when others need their room. Without this, every function keeps as many as it ever needed at once.
- A template's ``ReservedConcurrentExecutions`` counts, and it counts for versions and aliases too.
- An event of an asynchronous call waits while its function is throttled. This is not one of its two retries.
- A throttled task of a state machine fails as ``Lambda.TooManyRequestsException``.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html and
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import contextvars
import functools
import time
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

_RESERVED = "ReservedConcurrentExecutions"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0  # Lambda begins with 1 s and goes up to 5 minutes
_LONGEST_AGE_S = 6 * 3600

_is_event: contextvars.ContextVar[bool] = contextvars.ContextVar("local_aws_lambda_is_event", default=False)
_acquire_worker = lambda_svc.acquire_worker
_execute_function = lambda_svc._execute_function
_invoke_async = lambda_svc.invoke_async_with_retry
_reserved_concurrency = lambda_svc._reserved_concurrency
_throttle_response = lambda_svc._throttle_response
_handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
_create_function = _handlers["create"]
_update_function = _handlers["update"]


def install() -> None:
    """Wrap the calls, their counting, and the template's resource."""
    lambda_svc.acquire_worker = _acquire_and_make_room
    lambda_svc._execute_function = _execute_when_possible
    lambda_svc.invoke_async_with_retry = _invoke_event
    lambda_svc._reserved_concurrency = _reserved_for_all_versions
    lambda_svc._throttle_response = _named_throttle
    _handlers["create"] = _create_with_reservation
    _handlers["update"] = _update_with_reservation


def _acquire_and_make_room(*arguments: Any, **named: Any) -> tuple[Any, str]:
    """A worker. When it is a new one, the workers that have been idle for longest end."""
    worker, how = _acquire_worker(*arguments, **named)
    limit = lambda_svc._ACCOUNT_CONCURRENCY_CAP
    if how == "spawn" and limit > 0:
        lambda_runtime.kill_workers(_take_surplus(limit))
    return worker, how


def _take_surplus(limit: int) -> list[Any]:
    """Idle workers beyond ``limit``, taken out of their pools."""
    with lambda_runtime._lock:
        workers = [worker for pool in lambda_runtime._workers.values() for worker in pool]
        idle = sorted((worker for worker in workers if not worker.in_use), key=lambda worker: worker.last_used)
        surplus = idle[: max(0, len(workers) - limit)]
        for pool in lambda_runtime._workers.values():
            pool[:] = [worker for worker in pool if worker not in surplus]
    return surplus


def _invoke_event(func: dict[str, Any], event: Any) -> None:
    token = _is_event.set(True)  # the thread that calls the function gets a copy of this context
    try:
        _invoke_async(func, event)
    finally:
        _is_event.reset(token)


def _execute_when_possible(func: dict[str, Any], event: Any) -> dict[str, Any]:
    """Call the function. An event waits while the function is throttled, until it is too old or may never run."""
    result: dict[str, Any] = _execute_function(func, event)
    if not _is_event.get():
        return result
    config = func.get("config") or func
    pause, ends = _FIRST_PAUSE_S, time.monotonic() + _longest_age(func)
    while result.get("throttle") and _reserved_for_all_versions(func, config) != 0 and time.monotonic() + pause < ends:
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
        result = _execute_function(func, event)
    return result


def _longest_age(func: dict[str, Any]) -> float:
    settings = func.get("event_invoke_config") or (func.get("event_invoke_configs") or {}).get("$LATEST") or {}
    return float(settings.get("MaximumEventAgeInSeconds", _LONGEST_AGE_S))


def _reserved_for_all_versions(func: dict[str, Any], config: dict[str, Any]) -> int | None:
    """The reservation of the function. A version's own record does not have it."""
    whole = lambda_svc._functions.get(config.get("FunctionName", "")) or func
    reserved: int | None = _reserved_concurrency(whole, config)
    return reserved


def _named_throttle(*arguments: Any, **named: Any) -> dict[str, Any]:
    result: dict[str, Any] = _throttle_response(*arguments, **named)
    body = result["body"]
    result["body"] = {**body, "errorType": f"Lambda.{body['__type']}", "errorMessage": body["message"]}
    return result


@functools.wraps(_create_function)  # CloudFormation looks at the signature
def _create_with_reservation(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
    outcome = _create_function(logical_id, props, stack_name)
    _reserve(outcome, props)
    return outcome


@functools.wraps(_update_function)
def _update_with_reservation(
    physical_id: str,
    old_props: dict[str, Any],
    new_props: dict[str, Any],
    stack_name: str,
    logical_id: str | None = None,
) -> Any:
    outcome = _update_function(physical_id, old_props, new_props, stack_name, logical_id)
    _reserve(outcome, new_props)
    return outcome


def _reserve(outcome: Any, props: dict[str, Any]) -> None:
    reserved = props.get(_RESERVED)
    lambda_svc._functions[outcome[0]]["concurrency"] = None if reserved is None else int(reserved)
