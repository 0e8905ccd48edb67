"""EventBridge events of S3 name the version of the object, as AWS's do.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import contextvars
import json
from typing import Any

from ministack.services import eventbridge, s3

_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("local_aws_s3_event_version", default=None)
_fire = s3._fire_s3_event
_dispatch = eventbridge._dispatch_event


def install() -> None:
    """Remember the version where S3 knows it, and add it where EventBridge gets the event."""
    s3._fire_s3_event = _fire_remembering
    eventbridge._dispatch_event = _dispatch_with_version


def _fire_remembering(*arguments: Any, **named: Any) -> None:
    token = _version.set(named.get("version_id"))
    try:
        _fire(*arguments, **named)
    finally:
        _version.reset(token)


def _dispatch_with_version(event: dict[str, Any], *more: Any) -> Any:
    version = _version.get()
    if version and event.get("Source") == "aws.s3":
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version
        event = {**event, "Detail": json.dumps(detail)}
    token = _version.set(None)  # what the event starts is not about this object
    try:
        return _dispatch(event, *more)
    finally:
        _version.reset(token)
