"""The events that this application sends to the default bus of EventBridge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError

SOURCE = "tenant-experience"


@cache
def events() -> Any:
    """One client per process, made on first use."""
    return boto3.client("events")


def send(kind: str, detail: Mapping[str, Any]) -> None:
    """Sends one event. Its detail says which project it is of, because the stacks of an account share the bus.

    Args:
        kind: the event's detail-type, such as ``File Scored``.
        detail: what happened, as JSON.

    Raises:
        PlatformError: ``bus_unavailable`` when the bus did not take it.
    """
    entry = {"Source": SOURCE, "DetailType": kind, "Detail": json.dumps({"project": setting("PROJECT"), **detail})}
    answer = events().put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        why = answer["Entries"][0].get("ErrorMessage", "no reason")
        raise PlatformError(f"EventBridge did not take the event {kind!r}: {why}", code="bus_unavailable")
