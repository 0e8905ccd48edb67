"""Looks for a text everywhere, in other ways than the erasure does: in raw bytes, archives and Parquet values."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow.parquet as parquet


def in_bytes(name: str, content: bytes, text: str) -> list[str]:
    """The places of the text in a file, or in what is packed in it."""
    spellings = [text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")]
    found = [name] if text in name or any(spelling in content for spelling in spellings) else []
    return found + [
        hit for inner, unpacked in _unpacked(content) for hit in in_bytes(f"{name}!{inner}", unpacked, text)
    ]


def _unpacked(content: bytes) -> Iterator[tuple[str, bytes]]:
    if content.startswith(b"\x1f\x8b"):
        yield "gz", gzip.decompress(content)
    elif content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from ((name, archive.read(name)) for name in archive.namelist())
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            yield from ((each.name, file.read()) for each in tar if (file := tar.extractfile(each)))
    elif content.startswith(b"PAR1"):
        table = parquet.read_table(io.BytesIO(content))
        yield from ((name, repr(table[name].unique().to_pylist()).encode()) for name in table.column_names)


def in_folder(folder: Path, text: str) -> list[str]:
    """The places of the text in the files below a folder."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found += in_bytes(str(path.relative_to(folder)), path.read_bytes(), text)
    return found


def in_account(text: str) -> list[str]:
    """The places of the text in every version of every object, every item of a table and every log event."""
    s3, found = boto3.client("s3"), []
    for bucket in (each["Name"] for each in s3.list_buckets()["Buckets"]):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found += [f"marker {each['Key']}" for each in page.get("DeleteMarkers", []) if text in each["Key"]]
            for each in page.get("Versions", []):
                body = s3.get_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])["Body"].read()
                found += in_bytes(f"{bucket}/{each['Key']}", body, text)
    dynamodb, logs = boto3.client("dynamodb"), boto3.client("logs")
    for table in dynamodb.list_tables()["TableNames"]:
        for scanned in dynamodb.get_paginator("scan").paginate(TableName=table):
            found += [f"{table}: {item['id']}" for item in scanned["Items"] if text in str(item)]
    for groups in logs.get_paginator("describe_log_groups").paginate():
        for group in (each["logGroupName"] for each in groups["logGroups"]):
            for events in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                found += [f"{group}: {each['message']}" for each in events["events"] if text in each["message"]]
    return found
