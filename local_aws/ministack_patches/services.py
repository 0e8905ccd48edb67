"""Adds a service to MiniStack: its handler, its routing, and the check of its callers' rights."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from ministack import app
from ministack.core import iam_evaluator, responses, router
from ministack.services import cloudwatch, eventbridge

Handler = Callable[
    [str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[tuple[int, dict[str, str], bytes]]
]

_MOST_POINTS = 10_000  # of one metric: an endpoint under load writes several for each request


class Check(Protocol):
    """One action on one resource, see ``sagemaker_iam_actions.Action``."""

    @property
    def name(self) -> str:
        """The action, e.g. ``sagemaker:PutRecord``."""

    @property
    def resource(self) -> str:
        """The resource's ARN."""

    @property
    def conditions(self) -> dict[str, str]:
        """Condition keys and their values."""


def register(name: str, target_prefix: str, handler: Handler) -> None:
    """Route requests signed for ``name``, or with its ``X-Amz-Target`` prefix, to ``handler``."""
    app.SERVICE_HANDLERS[name] = handler
    router.SERVICE_PATTERNS[name] = {
        "target_prefixes": [target_prefix],
        "host_patterns": [],
        "credential_scope": name,
    }


def authorize(headers: dict[str, str], action: str, resource: str, conditions: dict[str, str]) -> str | None:
    """Whether the caller's policies allow an action (its signature was checked before).

    Returns:
        None when they do, otherwise AWS's sentence.
    """
    access_key = router.extract_access_key_id(headers, {})
    denied: Any = iam_evaluator.enforce(
        access_key,
        action,
        action.partition(":")[0],
        router.extract_region(headers),
        resource_arn=resource,
        service_context=conditions,
    )
    if denied is None:
        return None
    caller = getattr(denied, "principal_arn", "") or "anonymous"
    return (
        f"User: {caller} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


def publish_event(detail_type: str, detail: dict[str, Any], resources: Sequence[str]) -> None:
    """Put one of SageMaker's own events on the default bus."""
    entry = {
        "Source": "aws.sagemaker",
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": list(resources),
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def metric_recorder(account: str, region: str) -> Callable[[str, float, str, dict[str, str]], None]:
    """What writes SageMaker's own metrics: name, value, unit, dimensions."""

    def record(name: str, value: float, unit: str, dimensions: dict[str, str]) -> None:
        responses.set_request_account_id(account)
        responses.set_request_region(region)
        cloudwatch.record_metric("AWS/SageMaker", name, value, unit, dimensions)
        points = cloudwatch._metric_bucket(("AWS/SageMaker", name, cloudwatch._dims_key(dimensions)))
        if len(points) > 2 * _MOST_POINTS:
            del points[:-_MOST_POINTS]

    return record


def is_allowed(scope: Mapping[str, Any], query: dict[str, list[str]], body: bytes, checks: Sequence[Check]) -> bool:
    """Verify a signed request and authorise everything it does, as MiniStack does before it calls a handler.

    This calls the same functions in the same order, without the routing, and resolves the caller once.

    Args:
        scope: ASGI's.
        query: the parsed query string.
        body: the bytes that arrived.
        checks: what the request does. The first check also verifies the signature, so there must be one.
    """
    if not checks:
        return False
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    access_key = router.extract_access_key_id(headers, query)
    region = router.extract_region(headers, query)
    try:
        responses.set_request_account_id(app._request_account_scope(access_key))
    except iam_evaluator.AmbiguousAccessKeyError:
        return False
    responses.set_request_region(region)
    app.pin_request_origin((scope.get("client") or ("127.0.0.1",))[0], False)
    iam_evaluator.pin_signed_request(scope["method"], scope["raw_path"].decode("latin-1"), query, scope["headers"])
    iam_evaluator.pin_signed_body(body)
    return all(
        iam_evaluator.enforce(
            access_key,
            check.name,
            check.name.partition(":")[0],
            region,
            resource_arn=check.resource,
            service_context=check.conditions,
        )
        is None
        for check in checks
    )
