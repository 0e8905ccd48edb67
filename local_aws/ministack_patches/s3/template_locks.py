"""Object Lock of a template's buckets, which MiniStack leaves out.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

_KIND = "AWS::S3::Bucket"


def install() -> None:
    """Wrap what CloudFormation calls for a bucket."""
    handlers = provisioners._RESOURCE_HANDLERS[_KIND]
    for verb, position in {"create": 1, "update": 2}.items():
        handlers[verb] = _locking(handlers[verb], position)


def _locking(handle: Callable[..., Any], position: int) -> Callable[..., Any]:
    @functools.wraps(handle)  # CloudFormation looks at the signature
    def call(*arguments: Any, **named: Any) -> Any:
        props = arguments[position]
        retention = _retention(props)
        name, attributes = handle(*arguments, **named)
        if str(props.get("ObjectLockEnabled")).lower() == "true":
            s3._bucket_versioning[name] = "Enabled"  # a lock needs it, so S3 switches it on
            s3._bucket_object_lock[name] = {"enabled": True, "default_retention": retention}
        return name, attributes

    return call


def _retention(props: dict[str, Any]) -> dict[str, Any] | None:
    rule = ((props.get("ObjectLockConfiguration") or {}).get("Rule") or {}).get("DefaultRetention")
    if not rule:
        return None
    period = {unit: int(rule[unit]) for unit in ("Days", "Years") if unit in rule}
    if rule.get("Mode") not in ("GOVERNANCE", "COMPLIANCE") or len(period) != 1 or min(period.values()) < 1:
        raise ValueError(f"{_KIND}: DefaultRetention needs a Mode, and either Days or Years")
    return {"Mode": rule["Mode"], **period}
