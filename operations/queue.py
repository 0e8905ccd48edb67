"""The queue of rows: how far a file is, what waits, and the messages that failed three times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import boto3
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations.errors import OperationError
from operations.stack import Stack
from tenant_experience import data_layout
from tenant_experience.queue.progress import FileProgress

_MOST_FILES = 20
_HIDDEN_SECONDS = 120
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
