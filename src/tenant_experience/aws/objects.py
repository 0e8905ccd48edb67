"""JSON documents and files in the data bucket."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tenant_experience.errors import UserError
from tenant_experience.release.partition_result import ShardResult

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Links are signed for the bucket's own region: not every region accepts the older signature, or the address without a
# region that botocore signs by default.
_CONFIG = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})


@cache
def s3() -> S3Client:
    """One client per process, made on first use."""
    return boto3.client("s3", config=_CONFIG)


def read_json(bucket: str, key: str) -> Any:
    """The JSON document at ``key``."""
    return json.loads(read_bytes(bucket, key))


def read_bytes(bucket: str, key: str) -> bytes:
    """The content of one object."""
    return s3().get_object(Bucket=bucket, Key=key)["Body"].read()


def find_json(bucket: str, key: str) -> Any | None:
    """The JSON document at ``key``; None when there is none."""
    found = find_bytes(bucket, key)
    return None if found is None else json.loads(found)


def find_bytes(bucket: str, key: str) -> bytes | None:
    """The content of one object; None when there is none."""
    try:
        return read_bytes(bucket, key)
    except ClientError as error:
        # Without the right to list the bucket, S3 answers AccessDenied for a key that does not exist.
        if error.response["Error"]["Code"] in ("NoSuchKey", "AccessDenied"):
            return None
        raise


def read_part(bucket: str, key: str, start: int, length: int) -> bytes:
    """At most ``length`` bytes of an object from ``start`` on; none where the object ends before, or does not exist."""
    try:
        found = s3().get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{start + length - 1}")
    except ClientError as error:
        # As in ``find_json``; and nothing follows the end.
        if error.response["Error"]["Code"] in ("NoSuchKey", "AccessDenied", "InvalidRange"):
            return b""
        raise
    return found["Body"].read()


def find_text(bucket: str, key: str, longest: int) -> str | None:
    """A text of at most ``longest`` bytes; empty when there is none, and None when it is longer."""
    content = read_part(bucket, key, 0, longest + 1)
    return None if len(content) > longest else content.decode()


def read_page(bucket: str, key: str, longest: int) -> str:
    """The HTML page at ``key``.

    Raises:
        UserError: ``unknown_report`` when there is none, or when it is longer than ``longest`` bytes.
    """
    try:
        found = s3().get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "AccessDenied"):
            raise
        raise UserError("this page does not exist", code="unknown_report") from error
    if found["ContentLength"] > longest:
        raise UserError(
            f"this page is too long to be shown here; it is {key} in the data bucket", code="unknown_report"
        )
    return found["Body"].read().decode()


def write_once(bucket: str, key: str, content: bytes) -> bool:
    """Writes one object unless its key exists; False when it did."""
    try:
        s3().put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] == "PreconditionFailed":
            return False
        raise
    return True


def download(bucket: str, key: str, path: Path, version_id: str = "") -> None:
    """Downloads one object, or one version of it, into a file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    s3().download_file(bucket, key, str(path), ExtraArgs={"VersionId": version_id} if version_id else None)


def download_all(bucket: str, prefix: str, folder: Path) -> None:
    """Downloads every object below ``prefix``, each to its path below it."""
    for page in s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", []):
            name = each["Key"].removeprefix(prefix)
            path = folder / name
            if not path.resolve().is_relative_to(folder.resolve()):
                raise UserError(f"the key {each['Key']} leads out of its batch: rename the object", code="unsafe_name")
            if name and not name.endswith("/"):
                download(bucket, each["Key"], path)


def keys(bucket: str, prefix: str) -> Iterator[str]:
    """The keys below ``prefix``."""
    for page in s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", []):
            yield each["Key"]


def delete_others(bucket: str, prefix: str, names: Collection[str]) -> None:
    """Deletes the objects below ``prefix`` that have none of these names."""
    for page in s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", []):
            if each["Key"].removeprefix(prefix) not in names:
                s3().delete_object(Bucket=bucket, Key=each["Key"])


def write_json(bucket: str, key: str, document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Writes a JSON document, in place of an earlier one."""
    content = json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"
    s3().put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/json")


def read_outcomes(bucket: str, shards: Sequence[Mapping[str, Any]]) -> list[ShardResult]:
    """The results of every shard of a release, from its ``outcome.json``.

    Args:
        bucket: the data bucket.
        shards: the output of TrainModels: ``shard`` and ``outcome_key`` of each.
    """
    return [ShardResult.read(read_json(bucket, shard["outcome_key"]), shard["shard"]) for shard in shards]


def page_link(bucket: str, key: str, *, seconds: int) -> str:
    """A link that shows one HTML object in a browser and expires after ``seconds``.

    S3 lets a link set these headers and no others, so ``nosniff``, HSTS and the refusal of frames are missing. The page
    has its Content-Security-Policy in itself (``pages/templates/head.html.j2``).
    """
    headers = {
        "ResponseContentType": "text/html; charset=utf-8",
        "ResponseContentDisposition": "inline",
        "ResponseCacheControl": "no-store",
    }
    return s3().generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": key, **headers}, ExpiresIn=seconds
    )
