"""The handle of a task that moves messages: it names the queue they come from, as AWS's does."""

from __future__ import annotations

import base64
import json
import uuid


def new(source_arn: str) -> str:
    """A handle of a new task."""
    return base64.b64encode(json.dumps({"taskId": str(uuid.uuid4()), "sourceArn": source_arn}).encode()).decode()


def source_queue(handle: str) -> str:
    """The ARN of a task's queue; ``*`` when this is no handle."""
    try:
        return str(json.loads(base64.b64decode(handle))["sourceArn"])
    except (ValueError, KeyError, TypeError):
        return "*"
