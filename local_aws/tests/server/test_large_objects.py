"""Objects of many megabytes: ranges, versions, copies and multipart uploads, and the events of objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_aws.tests.server.machines import eventually

Client = Callable[..., Any]
MIB = 1024 * 1024


def content(seed: int, megabytes: int) -> bytes:
    return hashlib.sha256(bytes([seed])).digest() * (megabytes * MIB // 32)


@pytest.fixture(scope="module")
def versioned(client: Client) -> str:
    s3 = client("s3")
    s3.create_bucket(Bucket="versioned-objects")
    s3.put_bucket_versioning(Bucket="versioned-objects", VersioningConfiguration={"Status": "Enabled"})
    return "versioned-objects"


def anonymous_memory(server: dict[str, Any]) -> int:
    """What the server process holds, without the files that it has mapped."""
    (child,) = Path(f"/proc/{server['pid']}/task/{server['pid']}/children").read_text().split()
    status = Path(f"/proc/{child}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def test_versions_are_read_in_ranges_and_as_a_whole(client: Client, versioned: str) -> None:
    s3, first, second = client("s3"), content(1, 9), content(2, 9)
    old = s3.put_object(Bucket=versioned, Key="a", Body=first)["VersionId"]
    new = s3.put_object(Bucket=versioned, Key="a", Body=second)["VersionId"]

    def read(**named: Any) -> bytes:
        return bytes(s3.get_object(Bucket=versioned, **{"Key": "a", **named})["Body"].read())

    assert (read(), read(VersionId=new), read(VersionId=old)) == (second, second, first)
    for version, whole in ((old, first), (new, second)):
        answer = s3.get_object(Bucket=versioned, Key="a", VersionId=version, Range=f"bytes={MIB}-{2 * MIB - 1}")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"] == f"bytes {MIB}-{2 * MIB - 1}/{9 * MIB}"
        assert answer["Body"].read() == whole[MIB : 2 * MIB]
    assert read(Range="bytes=-5") == second[-5:]
    assert read(Range="bytes=0-") == second
    with pytest.raises(s3.exceptions.ClientError, match="InvalidRange"):
        read(Range=f"bytes={9 * MIB}-")
    s3.delete_object(Bucket=versioned, Key="a")
    assert read(VersionId=old) == first
    assert read(VersionId=new) == second
    s3.copy_object(Bucket=versioned, Key="b", CopySource={"Bucket": versioned, "Key": "a", "VersionId": old})
    assert read(Key="b") == first


def test_an_overwritten_object_is_read_to_its_end(client: Client, bucket: str) -> None:
    s3, first = client("s3"), content(3, 20)
    s3.put_object(Bucket=bucket, Key="replaced", Body=first)
    body = s3.get_object(Bucket=bucket, Key="replaced")["Body"]
    begin = body.read(10)
    s3.put_object(Bucket=bucket, Key="replaced", Body=b"short")
    assert begin + body.read() == first


def test_versions_stay_on_disk(client: Client, server: dict[str, Any], versioned: str) -> None:
    s3 = client("s3")
    before = anonymous_memory(server)
    for seed in range(8):
        s3.put_object(Bucket=versioned, Key="memory", Body=content(seed, 16))
    assert anonymous_memory(server) - before < 64 * MIB  # 128 MiB of versions


def test_events_name_the_version_and_the_reason(client: Client, versioned: str, tmp_path: Path) -> None:
    s3, sqs, events = client("s3"), client("sqs"), client("events")
    url = sqs.create_queue(QueueName="object-events")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [versioned]}}}
    rule = events.put_rule(Name="objects", EventPattern=json.dumps(pattern))["RuleArn"]
    events.put_targets(Rule="objects", Targets=[{"Id": "q", "Arn": queue}])
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Statement": [{**allowed, "Resource": queue, "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    s3.put_bucket_notification_configuration(
        Bucket=versioned, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )

    file = tmp_path / "file"
    file.write_bytes(content(4, 12))
    put = s3.put_object(Bucket=versioned, Key="put", Body=b"1")["VersionId"]
    copied = s3.copy_object(Bucket=versioned, Key="copied", CopySource=f"{versioned}/put")["VersionId"]
    s3.upload_file(str(file), versioned, "parts")
    parts = s3.head_object(Bucket=versioned, Key="parts")["VersionId"]
    marker = s3.delete_object(Bucket=versioned, Key="put")["VersionId"]
    found: set[tuple[str, str, str]] = set()

    def received() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            detail = json.loads(message["Body"])["detail"]
            found.add((detail["object"]["key"], detail["object"]["version-id"], detail["reason"]))
        return len(found) == 4

    eventually(received)
    assert found == {
        ("put", put, "PutObject"),
        ("copied", copied, "CopyObject"),
        ("parts", parts, "CompleteMultipartUpload"),
        ("put", marker, "DeleteObject"),
    }
    assert s3.get_object(Bucket=versioned, Key="parts")["Body"].read() == file.read_bytes()
