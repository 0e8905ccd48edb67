"""Record the features of a batch as they were known at earlier times, in the offline Feature Store only.

Starts one execution of the state machine for each date from FROM to TO. Nothing is trained, and what is served does not
change. A date that was recorded before is not recorded again, and a date that is refused does not stop the others.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations.errors import OperationError
from operations.stack import Stack, add_stack_arguments, find_stack
from tenant_experience import data_layout

_AT_ONCE = 4
_POLL_SECONDS = 1.0
_NEWEST = "newest"


@dataclass
class Snapshot:
    """One date and the execution that records it.

    Attributes:
        as_of: midnight, UTC.
        release: the release's id; None when StartRelease refused the date.
        status: the execution's status in Step Functions; REFUSED or NOT STARTED when there is none.
        reason: why the date was refused, or why the execution failed.
    """

    as_of: datetime
    release: str | None
    status: str
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the execution has ended, or was never started."""
        return self.status != "RUNNING"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--from",
        dest="first",
        type=date.fromisoformat,
        required=True,
        metavar="DATE",
        help="first date, such as 2026-01-01",
    )
    parser.add_argument(
        "--to", dest="last", type=date.fromisoformat, required=True, metavar="DATE", help="last date, included"
    )
    parser.add_argument("--every", type=_days, default=timedelta(days=30), help="days between dates (default: 30d)")
    parser.add_argument("--batch", default=_NEWEST, help="folder below raw/<use case>/ (default: the newest batch)")
    parser.add_argument("--use-case", default="tenant_experience", help="use case of the batch (default: %(default)s)")
    add_stack_arguments(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    """Record every date; 0 when all of them succeeded."""
    dates = list(_dates(options.first, options.last, options.every))
    stack = find_stack(options)
    batch = _newest_batch(stack, options.use_case) if options.batch == _NEWEST else options.batch
    console.print(f"Recording batch {escape(batch)} as of {len(dates)} dates in {escape(stack.describe())}")
    ended: list[Snapshot] = []
    running: list[Snapshot] = []
    with console.status("recording") as status:
        while dates or running:
            while dates and len(running) < _AT_ONCE:
                running.append(_start(stack, options.use_case, batch, dates.pop(0)))
            status.update(f"{len(ended)} of {len(ended) + len(running) + len(dates)} ended")
            for snapshot in [each for each in running if _is_over(stack, each)]:
                running.remove(snapshot)
                ended.append(snapshot)
                console.print(f"  {snapshot.as_of:%Y-%m-%d}  {snapshot.status}")
            if running:
                time.sleep(_POLL_SECONDS)
    console.print(_table(ended))
    return 0 if all(each.status == "SUCCEEDED" for each in ended) else 1


def _dates(first: date, last: date, every: timedelta) -> Iterator[datetime]:
    if first > last:
        raise OperationError(f"the first date {first} is after the last date {last}: nothing to record")
    while first <= last:
        yield datetime(first.year, first.month, first.day, tzinfo=UTC)
        first += every


def _days(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,3})d", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days: write it as 30d")
    return timedelta(days=int(found[1]))


def _newest_batch(stack: Stack, use_case: str) -> str:
    prefix = data_layout.raw_batch(use_case, "").rstrip("/") + "/"
    found = []
    for page in boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=stack.bucket, Prefix=prefix):
        for each in page.get("Contents", []):
            batch, _, name = each["Key"].removeprefix(prefix).partition("/")
            if name == data_layout.MANIFEST:
                found.append((each["LastModified"], batch))
    if not found:
        raise OperationError(
            f"there is no complete batch below s3://{stack.bucket}/{prefix}: upload one with its manifest.json first"
        )
    return max(found)[1]


def _start(stack: Stack, use_case: str, batch: str, as_of: datetime) -> Snapshot:
    request = {"use_case": use_case, "batch": batch, "as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}"}
    function = stack.physical_id("StartRelease")
    answer = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(request).encode())
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        return Snapshot(as_of, None, "NOT STARTED", result.get("errorMessage", "StartRelease failed: see its log"))
    if result["release"] is None:
        return Snapshot(as_of, None, "REFUSED", f"{result['code']}: {result['message']}")
    return Snapshot(as_of, result["release"], "RUNNING")


def _is_over(stack: Stack, snapshot: Snapshot) -> bool:
    """Ask Step Functions for the execution's status."""
    if not snapshot.is_over:
        arn = f"{stack.state_machine.replace(':stateMachine:', ':execution:')}:{snapshot.release}"
        found = boto3.client("stepfunctions").describe_execution(executionArn=arn)
        snapshot.status = found["status"]
        snapshot.reason = ": ".join(part for part in (found.get("error"), found.get("cause")) if part)
    return snapshot.is_over


def _table(snapshots: list[Snapshot]) -> Table:
    table = Table("as of", "release", "outcome", "why", title="Recorded in the offline store")
    for each in sorted(snapshots, key=lambda snapshot: snapshot.as_of):
        table.add_row(f"{each.as_of:%Y-%m-%d}", each.release or "-", each.status, escape(each.reason))
    return table
