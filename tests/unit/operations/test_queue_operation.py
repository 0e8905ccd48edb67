"""What an operator sees of the queue, and takes back from its dead rows, on moto."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from operations import erase, queue
from operations.errors import OperationError
from operations.stack import Stack


@pytest.fixture
def stack() -> Iterator[Stack]:
    with mock_aws():
        s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb")
        s3.create_bucket(Bucket="data")
        s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
        dynamodb.create_table(
            TableName="rows",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "file", "AttributeType": "S"},
                {"AttributeName": "row", "AttributeType": "N"},
            ],
            KeySchema=[{"AttributeName": "file", "KeyType": "HASH"}, {"AttributeName": "row", "KeyType": "RANGE"}],
        )
        outputs = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("RowQueueUrl", "DeadRowsUrl")}
        yield Stack("te", {"DataBucket": "data", "InferenceTableName": "rows", **outputs}, (), None)


def upload(name: str, state: str, **more: str) -> None:
    put = boto3.client("s3").put_object(Bucket="data", Key=f"inference/u/{name}", Body=b"x")
    item: dict[str, Any] = {
        "file": {"S": f"u/{name}#{put['VersionId']}"},
        "row": {"N": "0"},
        "use_case": {"S": "u"},
        "state": {"S": state},
        "created_at": {"S": "2026-11-01T00:00:00Z"},
        **{key: {"N" if value.isdigit() else "S": value} for key, value in more.items()},
    }
    boto3.client("dynamodb").put_item(TableName="rows", Item=item)


def send(stack: Stack, output: str, *files: str) -> None:
    for file in files:
        body = json.dumps({"file": f"u/{file}#v1", "rows": []})
        boto3.client("sqs").send_message(QueueUrl=stack.outputs[output], MessageBody=body)


def test_files_are_shown_with_their_counts_and_reasons(stack: Stack) -> None:
    upload("a.csv", "complete", rows="10", scored="9", failed="1", truths="4")
    upload("a.csv", "splitting", sent="50")
    upload("ab.csv", "handed_over", reason="the file has more than 200,000 rows")
    assert [(each.path, each.state) for each in queue.files(stack, "u", "a.csv")] == [
        ("a.csv", "splitting"),
        ("a.csv", "complete"),
    ]
    assert len(queue.files(stack, "u")) == 3
    with pytest.raises(OperationError, match=r"there is no file b\.csv: upload it to s3://data/inference/u/b.csv"):
        queue.files(stack, "u", "b.csv")
    send(stack, "DeadRowsUrl", "a.csv")
    said = io.StringIO()
    queue.show(stack, queue.files(stack, "u"), Console(file=said, width=140))
    for words in ("50 sent", "handed over", "ab.csv: the file has more than 200,000 rows", "1 have failed three times"):
        assert words in said.getvalue()


def test_only_the_dead_messages_of_the_file_are_redriven(stack: Stack) -> None:
    send(stack, "DeadRowsUrl", "a.csv", "b.csv", "a.csv", "aa.csv", "a.csv")
    assert queue.redrive(stack, "u", "a.csv") == 3
    assert queue.waiting(stack) == (3, 2)
    left = boto3.client("sqs").receive_message(QueueUrl=stack.outputs["DeadRowsUrl"], MaxNumberOfMessages=10)
    assert sorted(json.loads(each["Body"])["file"] for each in left["Messages"]) == ["u/aa.csv#v1", "u/b.csv#v1"]
    assert queue.redrive(stack, "u", "c.csv") == 0


def test_nothing_is_erased_while_rows_wait(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO())
    erase._await_queue(stack, console, waits=False)
    send(stack, "RowQueueUrl", "a.csv")
    with pytest.raises(OperationError, match="1 messages with rows of files wait in the queue"):
        erase._await_queue(stack, console, waits=False)
    purge = lambda _seconds: boto3.client("sqs").purge_queue(QueueUrl=stack.outputs["RowQueueUrl"])  # noqa: E731
    monkeypatch.setattr(erase.time, "sleep", purge)
    erase._await_queue(stack, console, waits=True)
    send(stack, "DeadRowsUrl", "a.csv")
    with pytest.raises(OperationError, match="tenx redrive FILE"):
        erase._await_queue(stack, console, waits=True)
