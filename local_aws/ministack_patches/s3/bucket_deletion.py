"""Buckets of a deleted stack: an empty one goes, and one with objects or versions stays, as on AWS.

MiniStack deletes each bucket with everything in it.
"""

from __future__ import annotations

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners


def install() -> None:
    """Replace what CloudFormation calls for a bucket."""
    provisioners._s3_delete = _delete
    provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]["delete"] = _delete


def _delete(physical_id: str, props: dict[str, Any]) -> None:
    del props
    if physical_id not in s3._buckets:
        return
    status, _, body = s3._delete_bucket(physical_id)
    if status >= 400:
        raise ValueError(
            f"The bucket {physical_id} was not deleted: {_message(body)}. Delete its objects and their versions first"
        )


def _message(body: bytes) -> str:
    return body.decode().partition("<Message>")[2].partition("</Message>")[0]
