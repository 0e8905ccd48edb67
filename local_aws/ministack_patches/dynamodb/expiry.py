"""DynamoDB's time to live: expired items are deleted within seconds, and a stream says that the service did it.

MiniStack looks once a minute, also at text, and tells no stream. As on AWS, only a number counts, an item that
expired more than five years ago stays, and time to live changes its attribute only after it has been disabled. Source:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, set_request_account_id, set_request_region
from ministack.services import dynamodb

logger = logging.getLogger("time to live")

_MINISTACKS_THREAD = "dynamodb-ttl-reaper"
_FIVE_YEARS_S = 5 * 365 * 24 * 3600
_LOOK_EVERY_S = 1.0
_REST = 20  # a look at many items is followed by a rest of that many times its duration
_SERVICE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
_update_ttl = dynamodb._update_ttl
_listeners: list[Callable[[], None]] = []


def install() -> None:
    """Look for expired items in a thread of its own, instead of in MiniStack's."""
    dynamodb._update_ttl = _update_or_refuse
    dynamodb._lock = _LockThatEndsMinistacksLook(dynamodb._lock)
    threading.Thread(target=_run, name="time to live", daemon=True).start()


class _LockThatEndsMinistacksLook:
    """MiniStack's lock. The thread that looks once a minute ends when it wants it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if threading.current_thread().name == _MINISTACKS_THREAD:
            raise SystemExit
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def listen(listener: Callable[[], None]) -> None:
    """Call ``listener`` after items have been deleted."""
    _listeners.append(listener)


def _update_or_refuse(data: dict[str, Any]) -> Any:
    name = dynamodb._normalize_table_name(data.get("TableName"))
    setting = dynamodb._ttl_settings.get(name) or {}
    asked = data.get("TimeToLiveSpecification") or {}
    attribute = setting.get("AttributeName") if setting.get("TimeToLiveStatus") == "ENABLED" else None
    if name not in dynamodb._tables:
        return _update_ttl(data)
    if attribute and attribute != asked.get("AttributeName"):
        words = f"TimeToLive is active on a different AttributeName: current AttributeName is {attribute}"
    elif bool(attribute) == bool(asked.get("Enabled")):
        words = f"TimeToLive is already {'enabled' if attribute else 'disabled'}"
    else:
        return _update_ttl(data)
    return error_response_json("ValidationException", words, 400)


def _run() -> None:
    while True:
        begun = time.monotonic()
        try:
            sweep(time.time())
        except Exception:
            logger.exception("Expired items were not deleted")
        time.sleep(max(_LOOK_EVERY_S, _REST * (time.monotonic() - begun)))


def sweep(now: float) -> None:
    """Delete what has expired.

    Args:
        now: seconds since 1970.
    """
    deleted = 0
    for (account, region, name), setting in list(dynamodb._ttl_settings.all_items()):
        table = dynamodb._tables.get_scoped(account, region, name)
        if table is None or setting.get("TimeToLiveStatus") != "ENABLED":
            continue
        set_request_account_id(account)
        set_request_region(region)
        attribute = setting["AttributeName"]
        for key, rows in list(table["items"].items()):
            for sort_key, item in list(rows.items()):
                if _is_expired(item, attribute, now):
                    _delete(name, table, key, sort_key, item)
                    deleted += 1
    if deleted:
        for listener in _listeners:
            listener()


def _is_expired(item: dict[str, Any], attribute: str, now: float) -> bool:
    number = (item.get(attribute) or {}).get("N")
    return number is not None and now - _FIVE_YEARS_S < float(number) <= now


def _delete(name: str, table: dict[str, Any], key: Any, sort_key: Any, item: dict[str, Any]) -> None:
    if table["items"].get(key, {}).get(sort_key) is not item:  # written again in the meantime
        return
    dynamodb._remove_item(table, key, sort_key)
    records = dynamodb._stream_records.get(name) or []
    known = len(records)
    dynamodb._emit_stream_event(name, "REMOVE", item, None)
    for record in (dynamodb._stream_records.get(name) or [])[known:]:
        record["userIdentity"] = _SERVICE
