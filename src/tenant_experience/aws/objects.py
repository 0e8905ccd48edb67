"""JSON documents and files in the data bucket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Links are signed for the bucket's own region: the older signature, and the address without a region that botocore
# signs when no style is asked for, are not taken in every region.
_CONFIG = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})


@cache
def s3() -> S3Client:
    """One client per process, made on first use."""
    return boto3.client("s3", config=_CONFIG)


def read_json(bucket: str, key: str) -> Any:
    """The JSON document at ``key``."""
    return json.loads(s3().get_object(Bucket=bucket, Key=key)["Body"].read())


def write_once(bucket: str, key: str, content: bytes) -> bool:
    """Put one object unless its key is taken; False when it was."""
    try:
        s3().put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] == "PreconditionFailed":
            return False
        raise
    return True


def read_outcomes(bucket: str, shards: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The outcome of every shard of a release, each with the shard's number.

    Args:
        bucket: the data bucket.
        shards: what TrainModels answered: ``shard`` and ``outcome_key`` of each.
    """
    return [{**read_json(bucket, shard["outcome_key"]), "shard": shard["shard"]} for shard in shards]


def page_link(bucket: str, key: str, *, seconds: int) -> str:
    """A link that shows one HTML object in a browser, and ends after ``seconds``."""
    return s3().generate_presigned_url(
        "get_object",
        Params={"Bucket": bucket, "Key": key, "ResponseContentType": "text/html; charset=utf-8"},
        ExpiresIn=seconds,
    )
