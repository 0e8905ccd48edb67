"""What every List operation does: filter, sort, and answer in pages."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from botocore.utils import parse_to_aware_datetime

from local_aws.sagemaker.core.errors import validation_error

_DEFAULT_PAGE = 10  # "This value defaults to 10" (ListEndpoints)


def page(
    items: list[dict[str, Any]],
    request: dict[str, Any],
    *,
    name: str,
    status: tuple[str, str] | None = None,
    newest_first: bool = False,
    default_size: int = _DEFAULT_PAGE,
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of ``items`` (oldest first), and the token of the next page, or None.

    Args:
        items: summaries, each with ``CreationTime``.
        request: the List request.
        name: the key of an item's name.
        status: (the request's filter, the item's key), when there is one.
        newest_first: the order when the request does not say. The service lists jobs newest first, whatever the
            reference says of the default.
        default_size: the page's size when the request does not say.

    Raises:
        ServiceError: ValidationException, the token is not valid.
    """
    found = [item for item in items if _wanted(item, request, name, status)]
    keys = {"Name": name, "Status": status[1] if status else name}
    key = keys.get(request.get("SortBy", ""), request.get("SortBy") or "CreationTime")
    if key != "CreationTime" or any("LastModifiedTime" in item for item in items):
        found.sort(key=lambda item: item.get(key, item["CreationTime"]))
    if request.get("SortOrder", "Descending" if newest_first else "Ascending") == "Descending":
        found.reverse()
    return cut(found, request, default_size)


def cut(found: list[Any], request: dict[str, Any], default_size: int) -> tuple[list[Any], str | None]:
    """The page of ``found`` that a request asks for, and the token of the next page, or None.

    Raises:
        ServiceError: ValidationException, the token is not valid.
    """
    start = _offset(request.get("NextToken"))
    end = start + request.get("MaxResults", default_size)
    return found[start:end], _token(end) if end < len(found) else None


def answer(key: str, found: list[dict[str, Any]], token: str | None) -> dict[str, Any]:
    """The List answer."""
    return {key: found, **({"NextToken": token} if token else {})}


def _wanted(item: dict[str, Any], request: dict[str, Any], name: str, status: tuple[str, str] | None) -> bool:
    if request.get("NameContains", "").lower() not in item[name].lower():
        return False
    if status and status[0] in request and item.get(status[1]) != request[status[0]]:
        return False
    for key in ("CreationTime", "LastModifiedTime"):
        after, before = request.get(f"{key}After"), request.get(f"{key}Before")
        if after is not None and item[key] <= _time(after):
            return False
        if before is not None and item[key] >= _time(before):
            return False
    return True


def _time(value: Any) -> datetime:
    found: datetime = parse_to_aware_datetime(value)
    return found.astimezone(UTC)


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"from {offset}".encode()).decode()


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(" ")
        offset = int(number)
    except (ValueError, binascii.Error):
        word, offset = "", 0
    if word != "from" or offset < 0:
        raise validation_error("Invalid NextToken.")
    return offset
