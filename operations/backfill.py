"""Record the features of a batch as they were known at earlier times, in the offline Feature Store only.

For each date from FROM to TO one execution of the same state machine. Nothing is trained, and what is served stays as
it is. A date that was recorded before is not recorded twice; one that is refused does not stop the others.
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

from operations import account
from operations.account import Stack, StackError
from tenant_experience import data_layout

_AT_ONCE = 4
_POLL_SECONDS = 1.0
_NEWEST = "newest"


@dataclass
class Snapshot:
    """One date, and how its execution ended.

    Attributes:
        as_of: midnight, UTC.
        release: its id; None when it was refused before it began.
        status: of the execution, as Step Functions says it.
        reason: why it was refused or failed.
    """

    as_of: datetime
    release: str | None
    status: str
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status != "RUNNING"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's words."""
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="the first date")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="the last date, included")
    parser.add_argument("--every", type=_days, default=timedelta(days=30), help="days between dates: 30d")
    parser.add_argument("--batch", default=_NEWEST, help="its folder below raw/<use case>/; the newest when left out")
    parser.add_argument("--use-case", default="tenant_experience")
    account.add_arguments(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    """Record every date; 0 when all were."""
    dates = list(_dates(options.first, options.last, options.every))
    stack = account.find_stack(options)
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
        raise StackError(f"FROM={first} is after TO={last}")
    while first <= last:
        yield datetime(first.year, first.month, first.day, tzinfo=UTC)
        first += every


def _days(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,3})d", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days, such as 30d")
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
        raise StackError(f"there is no complete batch below s3://{stack.bucket}/{prefix}")
    return max(found)[1]


def _start(stack: Stack, use_case: str, batch: str, as_of: datetime) -> Snapshot:
    request = {"use_case": use_case, "batch": batch, "as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}"}
    function = stack.physical_id("StartRelease")
    answer = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(request).encode())
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        return Snapshot(as_of, None, "NOT STARTED", told.get("errorMessage", "StartRelease failed: see its log"))
    if told["release"] is None:
        return Snapshot(as_of, None, "REFUSED", f"{told['code']}: {told['message']}")
    return Snapshot(as_of, told["release"], "RUNNING")


def _is_over(stack: Stack, snapshot: Snapshot) -> bool:
    """Ask how the execution fares."""
    if not snapshot.is_over:
        machine = stack.outputs["StateMachineArn"]
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{snapshot.release}"
        found = boto3.client("stepfunctions").describe_execution(executionArn=arn)
        snapshot.status = found["status"]
        snapshot.reason = ": ".join(part for part in (found.get("error"), found.get("cause")) if part)
    return snapshot.is_over


def _table(snapshots: list[Snapshot]) -> Table:
    table = Table("as of", "release", "outcome", "why", title="Recorded in the offline store")
    for each in sorted(snapshots, key=lambda snapshot: snapshot.as_of):
        table.add_row(f"{each.as_of:%Y-%m-%d}", each.release or "-", each.status, escape(each.reason))
    return table
