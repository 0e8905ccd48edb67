"""Erases a tenant from every version of every object of a bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

import boto3

from operations.erasure.findings import Place
from tenant_experience.erasure.file import Erasure
from tenant_experience.erasure.id import ErasedId
from tenant_experience.errors import PlatformError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class _Version:
    key: str
    id: str
    size: int
    is_latest: bool
    is_alone: bool
    """Whether the key has no other version, no delete marker either."""


class FileEraser(Protocol):
    """Erases a tenant from the files of one kind."""

    @property
    def erased(self) -> ErasedId:
        """The tenant."""

    def erase(self, source: Path, name: str, target: Path) -> Erasure:
        """Erases the tenant from one file; see :class:`tenant_experience.erasure.file.Eraser`."""


def erase_objects(bucket: str, eraser_for: Callable[[str], FileEraser | None], *, removes: bool) -> Place:
    """Search every version of every object.

    The newest version of an object is rewritten without the tenant. Older versions that hold the tenant are deleted,
    and so is the version that was rewritten.

    Args:
        bucket: the bucket's name.
        eraser_for: gives the eraser for the object with this key, or None for an object that is not searched.
        removes: False only searches.

    Raises:
        PlatformError: ``changed_meanwhile`` when somebody wrote an object while it was being rewritten.
    """
    client = boto3.client("s3")
    place = Place(f"bucket {bucket}", "objects", more={"versions": 0, "bytes": 0})
    keys = set()
    for version in list(_versions(client, bucket)):
        eraser = eraser_for(version.key)
        if eraser is None:
            place.count("versions of other use cases, not searched", 1)
            continue
        keys.add(version.key)
        place.count("versions", 1)
        place.count("bytes", version.size)
        with TemporaryDirectory(prefix="erasure-") as folder:
            source, target = Path(folder) / "object", Path(folder) / "rewritten"
            client.download_file(bucket, version.key, str(source), ExtraArgs={"VersionId": version.id})
            found = eraser.erase(source, version.key, target)
            place.found += found.removed
            name = eraser.erased.blot_out_name(version.key)
            place.unreadable += [f"{name}: {what}" for what in found.unreadable]
            if removes and found.removed:
                how = _remove(client, bucket, version, found, target)
                place.removed += found.removed
                place.changes.append(f"{name}, version {version.id}: {how}, {found.removed} rows or entries")
    place.units = len(keys)
    return place


def _versions(client: S3Client, bucket: str) -> Iterator[_Version]:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        listed = page.get("Versions", [])
        markers = [marker["Key"] for marker in page.get("DeleteMarkers", [])]
        names = [each["Key"] for each in listed] + markers
        for each in listed:
            # A key whose versions are on two pages may look alone; then one delete marker is missing, or one too many.
            is_alone = names.count(each["Key"]) == 1
            yield _Version(each["Key"], each["VersionId"], each["Size"], each["IsLatest"], is_alone)


def _remove(client: S3Client, bucket: str, version: _Version, found: Erasure, target: Path) -> str:
    how = "deleted"
    if version.is_latest:
        head = client.head_object(Bucket=bucket, Key=version.key)
        if head.get("VersionId", "null") != version.id:
            raise PlatformError(
                f"{version.key} was written while it was being searched: erase again when nobody uploads",
                code="changed_meanwhile",
            )
        if found.left == "rewritten":
            how = "rewritten"
            kept = {"ContentType": head["ContentType"], "Metadata": head["Metadata"]}
            client.upload_file(str(target), bucket, version.key, ExtraArgs=kept)
        elif not version.is_alone:
            # Otherwise the version before it would come back.
            client.delete_object(Bucket=bucket, Key=version.key)
    client.delete_object(Bucket=bucket, Key=version.key, VersionId=version.id)
    return how
