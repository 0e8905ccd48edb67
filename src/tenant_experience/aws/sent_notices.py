"""Which notices were sent: each recipient gets each notice once, however often a function is tried again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from tenant_experience.aws.release_table import dynamodb, key_of, update_if
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError

# Longer than a function that sends may run: whoever is past it will not send any more.
_LEASE_SECONDS = 65


def send_once(name: str, send: Callable[[], None]) -> bool:
    """Sends a notice, unless it was sent before.

    It is claimed before it is sent, so that two attempts at the same time do not both send it, and noted afterwards.
    An attempt that dies in between leaves a claim that ends; the next one then sends it rather than lose it.

    Args:
        name: of the notice and its recipient; tells it from all others.
        send: sends it.

    Returns:
        Whether it was sent now.

    Raises:
        PlatformError: ``being_sent`` while another attempt has claimed it; try again.
    """
    now = int(time.time())
    is_mine = _update(
        name,
        "SET claimed_until = :until",
        "attribute_not_exists(sent) AND (attribute_not_exists(id) OR claimed_until < :now)",
        {":until": {"N": str(now + _LEASE_SECONDS)}, ":now": {"N": str(now)}},
    )
    if not is_mine:
        if _was_sent(name):
            return False
        raise PlatformError("another attempt is sending this notice; try again", code="being_sent")
    try:
        send()
    except BaseException:
        with suppress(ClientError):  # the claim ends by itself
            _update(name, "SET claimed_until = :past", "attribute_not_exists(sent)", {":past": {"N": "0"}})
        raise
    _update(name, "SET sent = :now", "attribute_exists(id)", {":now": {"N": str(now)}})
    return True


def _update(name: str, update: str, condition: str, values: dict[str, Any]) -> bool:
    return update_if(
        Key=key_of("notice", name),
        UpdateExpression=update,
        ConditionExpression=condition,
        ExpressionAttributeValues=values,
    )


def _was_sent(name: str) -> bool:
    item = dynamodb().get_item(
        TableName=setting("RELEASE_TABLE"), Key=key_of("notice", name), ConsistentRead=True, ProjectionExpression="sent"
    )
    return "sent" in item.get("Item", {})
