"""Record the features of a batch as they were known at earlier times, in the offline Feature Store only.

Starts one execution of the state machine for each date from FROM to TO. Nothing is trained, and what is served does not
change. A date that was recorded before is not recorded again, and a date that is refused does not stop the others.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations.errors import OperationError, interruption
from operations.releases import execution_arn
from operations.stack import Stack
from operations.watch import reason
from tenant_experience import data_layout

_AT_ONCE = 4
_POLL_SECONDS = 1.0


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


def backfill(stack: Stack, use_case: str, batch: str | None, dates: list[datetime], console: Console) -> list[Snapshot]:
    """Record a batch as of every date.

    Args:
        stack: where the batch was uploaded.
        use_case: the batch's use case.
        batch: its folder below ``raw/<use case>/``; by default the newest.
        dates: midnights, UTC.
        console: where to print.

    Returns:
        the dates in their order, and how each ended.

    Raises:
        OperationError: there is no complete batch.
        Interrupted: Ctrl-C was pressed; the executions that run go on.
    """
    chosen = _newest_batch(stack, use_case) if batch is None else _existing_batch(stack, use_case, batch)
    waiting = list(dates)
    console.print(f"Recording batch {escape(chosen)} as of {len(dates)} dates in {escape(stack.describe())}")
    ended: list[Snapshot] = []
    running: list[Snapshot] = []

    def what_goes_on() -> str:
        names = ", ".join(each.release or "" for each in running) or "none"
        return (
            f"{len(ended)} of {len(dates)} dates have ended. These releases go on without this command: {names}; "
            f"`tenx stop RELEASE` stops one. {len(waiting)} dates were not started: the same command starts them."
        )

    with console.status("recording") as status, interruption(what_goes_on):
        while waiting or running:
            while waiting and len(running) < _AT_ONCE:
                running.append(_start(stack, use_case, chosen, waiting.pop(0)))
            status.update(f"{len(ended)} of {len(dates)} ended")
            for snapshot in [each for each in running if _is_over(stack, each)]:
                running.remove(snapshot)
                ended.append(snapshot)
                console.print(f"  {snapshot.as_of:%Y-%m-%d}  {snapshot.status}")
            if running:
                time.sleep(_POLL_SECONDS)
    return sorted(ended, key=lambda snapshot: snapshot.as_of)


def dates_between(first: date, last: date, every: timedelta) -> list[datetime]:
    """The midnights, UTC, from the first date on; the last date is included.

    Raises:
        OperationError: the first date is after the last.
    """
    if first > last:
        raise OperationError(f"the first date {first} is after the last date {last}: nothing to record")
    days = range(0, (last - first).days + 1, every.days)
    return [datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(days=each) for each in days]


def parse_days(text: str) -> timedelta:
    """Parse a number of days such as ``30d``.

    Raises:
        ValueError: it is something else.
    """
    found = re.fullmatch(r"([1-9]\d{0,3})d", text, re.ASCII)
    if found is None:
        raise ValueError(f"{text!r} is not a number of days: write it as 30d")
    return timedelta(days=int(found[1]))


def _existing_batch(stack: Stack, use_case: str, batch: str) -> str:
    prefix = data_layout.raw_batch(use_case, batch)
    listed = boto3.client("s3").list_objects_v2(Bucket=stack.bucket, Prefix=prefix + data_layout.MANIFEST)
    if not listed.get("Contents"):
        raise OperationError(
            f"there is no complete batch {batch!r} below s3://{stack.bucket}/{data_layout.RAW}/{use_case}/: "
            "name one that has its manifest.json, or leave it out for the newest"
        )
    return batch


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
        arn = execution_arn(stack, str(snapshot.release))
        found = boto3.client("stepfunctions").describe_execution(executionArn=arn)
        snapshot.status = found["status"]
        snapshot.reason = reason(dict(found)) if "error" in found else ""
    return snapshot.is_over


def show_snapshots(snapshots: list[Snapshot], console: Console) -> None:
    """Print the dates as a table."""
    table = Table("as of", "release", "outcome", "why", title="Recorded in the offline store")
    for each in snapshots:
        table.add_row(f"{each.as_of:%Y-%m-%d}", each.release or "-", each.status, escape(each.reason))
    console.print(table)
