"""S3 with one role's rights: downloads and uploads of a job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRANSFER = TransferConfig(use_threads=False)  # many jobs share few cores, so there is no thread pool for each


class StorageError(Exception):
    """S3 refused, or the object does not exist."""


class NothingFoundError(StorageError):
    """No object has the prefix."""


def split_uri(uri: str) -> tuple[str, str]:
    """``s3://bucket/key`` as (bucket, key)."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


@dataclass(frozen=True)
class S3Object:
    """One object of an input, and its path below the folder that the input is downloaded to."""

    bucket: str
    key: str
    path: str

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


class Storage:
    """Downloads and uploads as one role."""

    def __init__(self, client: S3Client) -> None:
        self.client = client

    def has_objects(self, uri: str) -> bool:
        """Whether the key of any object begins with the URI's key.

        Raises:
            StorageError: S3 refused to list.
        """
        bucket, prefix = split_uri(uri)
        try:
            return self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"] > 0
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"ListObjectsV2 failed for {uri}: {error}") from error

    def objects(self, uri: str, kind: str = "S3Prefix") -> list[S3Object]:
        """The objects of an input, in order of key, or of the manifest.

        A URI that is the key of an object gives that object and every other one that begins with it, because S3Prefix
        is a prefix of keys, and not a folder.

        Args:
            uri: a prefix, or a manifest's.
            kind: ``S3Prefix`` or ``ManifestFile`` (API reference, S3DataSource).

        Raises:
            NothingFoundError: there is no object.
            StorageError: S3 refused, or the manifest is not valid.
        """
        found = self._manifest(uri) if kind == "ManifestFile" else self._below(uri)
        if not found:
            raise NothingFoundError(f"no objects found under {uri}")
        return [each for each in found if not each.key.endswith("/")]  # a console's folder marker is no file

    def _below(self, uri: str) -> list[S3Object]:
        bucket, prefix = split_uri(uri)
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"ListObjectsV2 failed for {uri}: {error}") from error
        return [S3Object(bucket, key, _relative(key, prefix)) for key in keys]

    def _manifest(self, uri: str) -> list[S3Object]:
        try:
            manifest = json.loads(self.read(uri))
        except ValueError as error:
            raise StorageError(f"the manifest {uri} is not JSON: {error}") from error
        if not _is_manifest(manifest):
            raise StorageError(f'the manifest {uri} is not [{{"prefix": "s3://..."}}, "relative/path", ...]')
        prefix = manifest[0]["prefix"]
        places = [(*split_uri(f"{prefix}{path}"), path) for path in manifest[1:]]
        return [S3Object(bucket, key, path.lstrip("/")) for bucket, key, path in places]

    def read(self, uri: str) -> bytes:
        """The one object of ``uri``.

        Raises:
            StorageError: S3 refused, or it does not exist.
        """
        bucket, key = split_uri(uri)
        try:
            return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"{uri}: {error}") from error

    def download(self, objects: Sequence[S3Object], folder: Path) -> None:
        """Download each object to its place below ``folder``.

        Raises:
            StorageError: S3 refused, or a key would leave the folder.
        """
        for each in objects:
            try:
                self._download(each.bucket, each.key, _inside(folder, each.path))
            except (ClientError, BotoCoreError, Boto3Error) as error:
                raise StorageError(f"GetObject failed for {each.uri}: {error}") from error

    def _download(self, bucket: str, key: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.client.download_file(bucket, key, str(file), Config=_TRANSFER)

    def download_file(self, uri: str, file: Path) -> None:
        """Download the one object of ``uri`` to ``file``.

        Raises:
            StorageError: S3 refused, or it does not exist.
        """
        try:
            self._download(*split_uri(uri), file)
        except (ClientError, BotoCoreError, Boto3Error) as error:
            raise StorageError(f"{uri}: {error}") from error

    def upload_file(self, file: Path, uri: str) -> None:
        """Upload one file to exactly ``uri``.

        Raises:
            StorageError: S3 refused.
        """
        bucket, key = split_uri(uri)
        try:
            self.client.upload_file(str(file), bucket, key, Config=_TRANSFER)
        except (ClientError, BotoCoreError, Boto3Error) as error:
            raise StorageError(f"{uri}: {error}") from error

    def upload_folder(self, folder: Path, uri: str) -> int:
        """Upload every file below ``folder`` under ``uri``, in order of name; returns their number."""
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        for file in files:
            self.upload_file(file, f"{uri.rstrip('/')}/{file.relative_to(folder).as_posix()}")
        return len(files)


def _relative(key: str, prefix: str) -> str:
    """A key's path below the folder it is downloaded to."""
    folder = prefix if prefix.endswith("/") else f"{prefix}/"
    if prefix and key.startswith(folder):
        return key[len(folder) :]
    return key[prefix.rfind("/") + 1 :]


def _inside(folder: Path, relative: str) -> Path:
    if not relative or ".." in PurePosixPath(relative).parts or relative.startswith("/"):
        raise StorageError(f"the key {relative!r} would be written outside its folder")
    return folder / relative


def _is_manifest(found: Any) -> bool:
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        return False
    return isinstance(found[0].get("prefix"), str) and all(isinstance(path, str) for path in found[1:])
