"""The SQS queue of rows, as the splitter writes to it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError

_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
_ATTEMPTS = 8
_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


@cache
def sqs() -> Any:
    """One client per process, made on first use."""
    return boto3.client("sqs", config=_CONFIG)


def send(bodies: Sequence[str]) -> None:
    """Sends up to ten messages in one call; those that SQS did not take are sent again.

    Raises:
        PlatformError: ``queue_unavailable`` when it did not take all of them after several times.
    """
    entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies)]
    for attempt in range(_ATTEMPTS):
        answer = sqs().send_message_batch(QueueUrl=setting("ROW_QUEUE"), Entries=entries)
        missing = {failure["Id"] for failure in answer.get("Failed", [])}
        entries = [entry for entry in entries if entry["Id"] in missing]
        if not entries:
            return
        pause = min(_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
    raise PlatformError(f"the queue did not take {len(entries)} of {len(bodies)} messages", code="queue_unavailable")
