"""What an operator sees of the queue, and takes back from its dead rows, on moto."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from operations import erase, queue
from operations.errors import OperationError
from operations.stack import Stack
from tenant_experience.queue.progress import FileProgress


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


def test_a_file_is_sent_and_followed_to_its_end(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("a\n1\n")
    name = queue.send(stack, "u", path)
    key, version = name.split("#")
    assert key == "u/new.csv"
    found = boto3.client("s3").get_object(Bucket="data", Key="inference/u/new.csv", VersionId=version)
    assert found["Body"].read() == b"a\n1\n"
    states = iter(["splitting", "scoring", "complete"])
    seen: list[str] = []

    def advance() -> None:
        item = {"file": {"S": name}, "row": {"N": "0"}, "use_case": {"S": "u"}, "created_at": {"S": "now"}}
        boto3.client("dynamodb").put_item(TableName="rows", Item={**item, "state": {"S": next(states)}})

    def on_poll(progress: FileProgress) -> None:
        seen.append(progress.state)
        advance()

    advance()
    with patch.object(queue, "_POLL_SECONDS", 0):
        assert queue.follow_file(stack, name, lambda each: on_poll(each) if each.state != "complete" else None)
    assert seen == ["splitting", "scoring"]


def test_a_file_whose_messages_have_all_failed_is_not_waited_for(stack: Stack) -> None:
    upload("a.csv", "scoring", rows="10", scored="9")
    send(stack, "DeadRowsUrl", "a.csv")
    (found,) = queue.files(stack, "u", "a.csv")
    with patch.object(queue, "_POLL_SECONDS", 0):
        assert queue.follow_file(stack, found.file, lambda _: None).state == "scoring"


def test_a_file_of_which_nothing_is_known_is_said(stack: Stack) -> None:
    with (
        patch.object(queue, "_POLL_SECONDS", 0),
        patch.object(queue, "_START_SECONDS", 0),
        pytest.raises(OperationError, match="nothing is known of the file 0 s after its upload: see the log of Split"),
    ):
        queue.follow_file(stack, "u/x.csv#1", lambda _: None)


def test_a_folder_and_a_file_that_is_too_large_are_no_files_for_the_queue(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="is a folder: the queue takes one file"):
        queue.send(stack, "u", tmp_path)
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(5 * 1024**3 + 1)
    with pytest.raises(OperationError, match="has more than 5 GiB"):
        queue.send(stack, "u", tmp_path / "large.csv")


def test_the_first_rows_are_those_with_the_lowest_numbers(stack: Stack) -> None:
    upload("a.csv", "complete")
    (found,) = queue.files(stack, "u", "a.csv")
    for row in (7, 3, 1, 2, 5, 4, 6):
        item = {"file": {"S": found.file}, "row": {"N": str(row)}, "id": {"S": f"C{row}"}}
        boto3.client("dynamodb").put_item(TableName="rows", Item=item)
    assert [(each["row"], each["id"]) for each in queue.first_rows(stack, found.file)] == [
        (str(row), f"C{row}") for row in range(1, 6)
    ]
