"""The queue of rows: how far a file is, what waits, and the messages that failed three times."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations.batch import find_files
from operations.errors import OperationError, interruption
from operations.stack import Stack
from tenant_experience import data_layout
from tenant_experience.queue.progress import FileProgress, State

_MOST_FILES = 20
_HIDDEN_SECONDS = 120
_START_SECONDS = 300
_POLL_SECONDS = 0.5
# After so many looks at a queue in which nothing waits any more, what is dead does not come back by itself.
_LOOKS_AT_DEAD_ROWS = 4
# What one call of S3 takes. A larger file is not for the queue anyway.
_LARGEST_BYTES = 5 * 1024**3
# What a person wants to see of a row first; the items have more attributes (docs/scoring.md).
FIRST_COLUMNS = ("row", "id", "status", "prediction", "probability", "truth", "dimension", "reason")
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


def files(stack: Stack, use_case: str, file: str | None = None) -> list[FileProgress]:
    """How far files are, the newest first: every version of one file, or the files that arrived last.

    Raises:
        OperationError: there is no such file.
    """
    client, prefix = boto3.client("s3"), data_layout.inference_file(use_case, file or "")
    versions = [
        each
        for page in client.get_paginator("list_object_versions").paginate(Bucket=stack.bucket, Prefix=prefix)
        for each in page.get("Versions", [])
        if (each["Key"] == prefix if file else not each["Key"].endswith("/"))
    ]
    if file and not versions:
        raise OperationError(f"there is no file {file}: upload it to s3://{stack.bucket}/{prefix}")
    newest = sorted(versions, key=lambda each: each["LastModified"], reverse=True)[:_MOST_FILES]
    names = [f"{each['Key'].removeprefix(f'{data_layout.INFERENCE}/')}#{each['VersionId']}" for each in newest]
    return [found for name in names if (found := _progress(stack, name)) is not None]


def _progress(stack: Stack, name: str) -> FileProgress | None:
    table = stack.outputs["InferenceTableName"]
    found = boto3.client("dynamodb").get_item(
        TableName=table, Key={"file": {"S": name}, "row": {"N": "0"}}, ConsistentRead=True
    )
    return FileProgress.read(found["Item"]) if "Item" in found else None


def waiting(stack: Stack) -> tuple[int, int]:
    """How many messages wait in the queue or are being scored, and how many have failed three times; about."""
    return _messages(stack, "RowQueueUrl"), _messages(stack, "DeadRowsUrl")


def _messages(stack: Stack, output: str) -> int:
    url = stack.outputs.get(output)  # absent from the stack of an earlier version
    if url is None:
        return 0
    client: Any = boto3.client("sqs")
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
    return sum(int(found.get(name, 0)) for name in _COUNTS)


def show(stack: Stack, found: list[FileProgress], console: Console) -> None:
    """Print how far files are."""
    table = Table("file", "arrived", "state", "rows", "scored", "failed", "with truth")
    for each in found:
        numbers = (each.rows if each.rows is not None else f"{each.sent} sent", each.scored, each.failed, each.truths)
        table.add_row(escape(each.path), each.created_at, each.state.replace("_", " "), *map(str, numbers))
    console.print(table if found else "No file has come through the queue.")
    for each in found:
        if each.reason:
            console.print(f"{escape(each.path)}: {escape(each.reason)}", soft_wrap=True)
    alive, dead = waiting(stack)
    console.print(f"{alive} messages wait or are being scored; {dead} have failed three times")
    if dead:
        console.print("tenx redrive FILE sends those of a file to the queue again")


def redrive(stack: Stack, use_case: str, file: str) -> int:
    """Send the messages of one file that failed three times to the queue again; how many there were.

    Messages of other files stay where they are. Nothing is lost when it is interrupted: a message is in the queue
    before it is taken out of the dead ones, and one that is in both is counted once.
    """
    client: Any = boto3.client("sqs")
    queue, dead = stack.outputs["RowQueueUrl"], stack.outputs["DeadRowsUrl"]
    moved, others = 0, []
    try:
        for message in _received(client, dead):
            if not str(json.loads(message["Body"])["file"]).startswith(f"{use_case}/{file}#"):
                others.append(message["ReceiptHandle"])
                continue
            client.send_message(QueueUrl=queue, MessageBody=message["Body"])
            client.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    finally:
        for handle in others:
            client.change_message_visibility(QueueUrl=dead, ReceiptHandle=handle, VisibilityTimeout=0)
    return moved


def _received(client: Any, url: str) -> Iterator[dict[str, Any]]:
    """Every message of a queue once, hidden from others meanwhile."""
    while some := client.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_HIDDEN_SECONDS, WaitTimeSeconds=1
    ).get("Messages"):
        yield from some


def arrived_since(stack: Stack, use_case: str, moment: datetime) -> list[str]:
    """The files of a use case that have arrived since a moment, in UTC."""
    if "InferenceTableName" not in stack.outputs:
        return []
    began = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return [each.path for each in files(stack, use_case) if each.created_at >= began]


def send(stack: Stack, use_case: str, path: Path) -> str:
    """Upload one file below ``inference/``, whose arrival sends its rows to the queue.

    Returns:
        The name that its items are kept under: the file and its version.

    Raises:
        OperationError: it is no file, or too large for one call of S3.
    """
    if path.is_dir():
        raise OperationError(f"{path} is a folder: the queue takes one file. Leave out --queue to score a folder")
    find_files(path)
    if path.stat().st_size > _LARGEST_BYTES:
        raise OperationError(f"{path} has more than 5 GiB: leave out --queue, and it is scored as a batch")
    key = data_layout.inference_file(use_case, path.name)
    stopped = interruption(
        f"The upload of {path.name} was interrupted: `tenx queue {path.name}` shows whether it came."
    )
    with stopped, path.open("rb") as content:
        put = boto3.client("s3").put_object(Bucket=stack.bucket, Key=key, Body=content)
    return f"{use_case}/{path.name}#{put['VersionId']}"


def follow_file(stack: Stack, name: str, on_poll: Callable[[FileProgress], None]) -> FileProgress:
    """Follow a file until every row is kept, or it is clear that something else must happen.

    Args:
        stack: where it is.
        name: what its items are kept under.
        on_poll: given how far it is, at every look.

    Returns:
        How far it is: ``scoring`` where messages have failed three times and nothing waits any more.

    Raises:
        OperationError: nothing is known of it.
        Interrupted: Ctrl-C was pressed; its rows are scored all the same.
    """
    deadline, looks = time.monotonic() + _START_SECONDS, 0
    with interruption("Its rows are scored without this command. `tenx queue` says how far they are."):
        while True:
            found = _progress(stack, name)
            if found is not None:
                on_poll(found)
                if found.state not in (State.SPLITTING, State.SCORING):
                    return found
                alive, dead = waiting(stack)
                looks = looks + 1 if dead and not alive else 0
                if found.state == State.SCORING and looks >= _LOOKS_AT_DEAD_ROWS:
                    return found
            elif time.monotonic() > deadline:
                raise OperationError(
                    f"nothing is known of the file {_START_SECONDS} s after its upload: see the log of SplitFile"
                )
            time.sleep(_POLL_SECONDS)


def first_rows(stack: Stack, name: str, count: int = 5) -> list[dict[str, Any]]:
    """The first rows of a file with their answers: numbers as text, as the table has them."""
    found = boto3.client("dynamodb").query(
        TableName=stack.outputs["InferenceTableName"],
        KeyConditionExpression="#file = :file AND #row > :progress",
        ExpressionAttributeNames={"#file": "file", "#row": "row"},
        ExpressionAttributeValues={":file": {"S": name}, ":progress": {"N": "0"}},
        Limit=count,
    )["Items"]
    return [{key: next(iter(value.values())) for key, value in item.items()} for item in found]
