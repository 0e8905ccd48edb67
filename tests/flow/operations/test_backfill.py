"""Features as they were known earlier: in the offline store, point in time; nothing that is served moves."""

from __future__ import annotations

import csv
import io
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pyarrow.parquet as parquet
import pytest

from operations.batch import RawBatch
from tenx.main import main
from tests.support.drives import Drive
from tests.support.flow import STATE, Flow
from tests.support.waiting import until

TENANTS = 700
DAY = timedelta(days=1)
HALF_A_SECOND = timedelta(seconds=0.5)
ENDS = ("FAILED", "SUCCEEDED", "SUCCEEDED")


@dataclass
class History:
    """What a backfill of three dates did; before the first of them too little is known.

    Attributes:
        work: the batch.
        dates: as they were asked for.
        online: the record of a tenant before it.
        said: what it printed.
        code: its exit code.
    """

    work: RawBatch
    dates: list[datetime]
    online: tuple[str, list[Any]]
    said: str
    code: int

    @property
    def words(self) -> list[str]:
        first, *_, last = (f"{date:%Y-%m-%d}" for date in self.dates)
        return ["--from", first, "--to", last, "--every", "100d", "--batch", self.work.name]


def backfill(*words: str) -> tuple[int, str]:
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(printed):
        code = main(["backfill", "--laptop", str(STATE), *words])
    return code, printed.getvalue()


def executions(flow: Flow) -> dict[str, str]:
    machine = flow.stack.state_machine
    pages = boto3.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine)
    return {each["name"]: each["status"] for page in pages for each in page["executions"]}


def record(flow: Flow, tenant: str) -> list[Any]:
    group = flow.stack.outputs["FeatureGroupName"]
    runtime = boto3.client("sagemaker-featurestore-runtime")
    return list(runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString=tenant).get("Record", []))


def offline(flow: Flow, as_of: datetime) -> dict[str, dict[str, Any]]:
    s3, rows = boto3.client("s3"), {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=flow.bucket, Prefix="feature-store/"):
        for each in page.get("Contents", []):
            body = s3.get_object(Bucket=flow.bucket, Key=each["Key"])["Body"].read()
            for row in parquet.read_table(io.BytesIO(body)).to_pylist():
                if row["as_of"] == f"{as_of:%Y-%m-%dT%H:%M:%SZ}":
                    rows[row["tenant_id"]] = row
    return rows


@pytest.fixture(scope="module")
def history(flow: Flow) -> History:
    work = flow.events(seed=40, tenants=TENANTS)
    drive = Drive(flow)
    drive.start(work)
    drive.until_entered("TrainModels")
    drive.stop()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    done = History(work, [today - days * DAY for days in (260, 160, 60)], ("T000003", record(flow, "T000003")), "", 0)
    done.code, done.said = backfill(*done.words)
    return done


def test_a_date_that_is_refused_is_named_with_its_reason_and_stops_no_other(history: History) -> None:
    told = {f"{date:%Y-%m-%d}  {status}" for date, status in zip(history.dates, ENDS, strict=True)}
    assert told <= {line.strip() for line in history.said.splitlines()}
    assert "AlgorithmError.too_few_tenants" in history.said
    assert history.code == 1


def test_the_offline_store_has_each_date_as_it_was_known_then(flow: Flow, history: History) -> None:
    with next(path for path in history.work.files if path.name == "tickets.csv").open() as file:
        opened = {
            (row["event_id"], row["tenant_id"]): datetime.fromisoformat(row["opened_at"]).replace(tzinfo=UTC)
            for row in csv.DictReader(file)
            if (row["opened_at"] or "").startswith("20")
        }
    for as_of in history.dates[1:]:
        until(lambda as_of=as_of: len(offline(flow, as_of)) > TENANTS / 2, "the offline store is not written")
        rows = [row for row in offline(flow, as_of).values() if row["total_tickets"] is not None]
        # The event that exposure begins with does not count. Events are opened at whole seconds.
        begins = {row["tenant_id"]: as_of - (row["exposure_days"] * DAY) + HALF_A_SECOND for row in rows}
        in_window = Counter(who for (_, who), at in opened.items() if who in begins and begins[who] < at < as_of)
        counted = {row["tenant_id"]: row["total_tickets"] * row["exposure_days"] / 365 for row in rows}
        assert len(counted) > TENANTS / 2
        agreed = sum(abs(count - in_window[tenant]) < 0.01 for tenant, count in counted.items())
        assert agreed > 0.9 * len(counted)  # the others have tickets that went to the quarantine
    assert offline(flow, history.dates[0]) == {}


def test_nothing_is_trained_and_what_is_served_stays(flow: Flow, history: History) -> None:
    tenant, before = history.online
    assert record(flow, tenant) == before
    recorded = [name for name in executions(flow) if name.startswith(f"{history.dates[2]:%Y%m%d}-")]
    assert len(recorded) == 1
    kept = boto3.client("s3").list_objects_v2(Bucket=flow.bucket, Prefix=f"clusters/{recorded[0]}/")
    assert kept["KeyCount"] == 0


def test_a_second_time_starts_nothing(flow: Flow, history: History) -> None:
    before = executions(flow)
    assert backfill(*history.words)[0] == 1
    assert executions(flow) == before


def test_what_cannot_be_asked_for_is_said(flow: Flow, history: History) -> None:
    code, said = backfill("--from", "2026-02-01", "--to", "2026-01-01")
    assert (code, "is after" in said) == (1, True)
    tomorrow = f"{datetime.now(UTC) + 2 * DAY:%Y-%m-%d}"
    code, said = backfill("--from", tomorrow, "--to", tomorrow, "--batch", history.work.name)
    assert (code, "is in the future" in said) == (1, True)
    code, said = backfill("--from", "2026-01-01", "--to", "2026-01-01", "--batch", "any")
    assert (code, "any" in said) == (1, True)
    assert flow.bucket
