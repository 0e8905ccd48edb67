"""Tags of any resource, by ARN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_aws.sagemaker.core import listing
from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import ServiceError
from local_aws.sagemaker.core.state import Store

_KIND = "Tags"
_MOST = 50  # of one resource


def keep(store: Store, arn: str, tags: list[dict[str, str]]) -> None:
    """Give a new resource its tags."""
    store.put(_KIND, arn, {"Tags": tags})


def forget(store: Store, arn: str) -> None:
    """A deleted resource has no tags."""
    store.delete(_KIND, arn)


def operations(context: Context) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
    """AddTags, ListTags and DeleteTags."""

    def read(request: dict[str, Any]) -> list[dict[str, str]]:
        return list((context.store.get(_KIND, request["ResourceArn"]) or {"Tags": []})["Tags"])

    def add(request: dict[str, Any]) -> dict[str, Any]:
        merged = {tag["Key"]: tag for tag in [*read(request), *request["Tags"]]}
        if len(merged) > _MOST:
            raise ServiceError("ResourceLimitExceeded", f"A resource has at most {_MOST} tags.")
        keep(context.store, request["ResourceArn"], list(merged.values()))
        return {"Tags": list(merged.values())}

    def remove(request: dict[str, Any]) -> dict[str, Any]:
        gone = set(request["TagKeys"])
        keep(context.store, request["ResourceArn"], [tag for tag in read(request) if tag["Key"] not in gone])
        return {}

    def list_tags(request: dict[str, Any]) -> dict[str, Any]:
        found, token = listing.cut(read(request), request, _MOST)
        return listing.answer("Tags", found, token)

    return {"AddTags": add, "DeleteTags": remove, "ListTags": list_tags}
