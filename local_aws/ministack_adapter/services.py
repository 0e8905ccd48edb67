"""Put a service of ours among MiniStack's: its handler, its routing, its callers' rights."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app
from ministack.core import iam_evaluator, router

Handler = Callable[
    [str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[tuple[int, dict[str, str], bytes]]
]


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
        None when they do, else AWS's sentence.
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
