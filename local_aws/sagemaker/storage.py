"""S3 with one role's eyes: what a job's downloads and uploads need."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRANSFER = TransferConfig(use_threads=False)  # many jobs share few cores: no thread pool for each


class StorageError(Exception):
    """S3 refused, or holds nothing there."""


class NothingFoundError(StorageError):
    """No object under a prefix."""


def split_uri(uri: str) -> tuple[str, str]:
    """``s3://bucket/key`` as (bucket, key)."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class Storage:
    """Downloads and uploads as one role."""

    def __init__(self, client: S3Client) -> None:
        self.client = client

    def has_objects(self, uri: str) -> bool:
        """Whether any object's key begins with the URI's.

        Raises:
            StorageError: S3 refused to list.
        """
        bucket, prefix = split_uri(uri)
        try:
            return self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"] > 0
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"ListObjectsV2 failed for {uri}: {error}") from error

    def download_prefix(self, uri: str, folder: Path) -> int:
        """Put every object whose key begins with the URI's into ``folder``; the number of them.

        A URI that is one object's key gives that one file (and whatever else begins with it: S3Prefix is a prefix of
        keys, not a folder).

        Raises:
            NothingFoundError: no object there.
            StorageError: S3 refused, or a key would leave the folder.
        """
        bucket, prefix = split_uri(uri)
        count = 0
        try:
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    key = found["Key"]
                    count += 1
                    if not key.endswith("/"):  # a console's folder marker, not a file
                        self._download(bucket, key, _inside(folder, _relative(key, prefix)))
        except (ClientError, BotoCoreError, Boto3Error) as error:
            raise StorageError(f"ListObjectsV2 or GetObject failed for {uri}: {error}") from error
        if not count:
            raise NothingFoundError(f"no objects found under {uri}")
        return count

    def _download(self, bucket: str, key: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.client.download_file(bucket, key, str(file), Config=_TRANSFER)

    def download_file(self, uri: str, file: Path) -> None:
        """Put the one object of ``uri`` into ``file``.

        Raises:
            StorageError: S3 refused, or it is not there.
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
        """Upload every file below ``folder`` under ``uri``, in order of name; the number of them."""
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
