"""Runs of the state machine that answers for many, as flow tests start and read them."""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pyarrow.parquet as pq

from tests.support.flow import Flow

USE_CASE = "tenant_experience"
_LIMIT_S = 600


@dataclass
class Scored:
    """How a run ended.

    Attributes:
        execution: as Step Functions describes it.
        rows: the answers.
        errors: the rows without one.
    """

    execution: dict[str, Any]
    rows: list[dict[str, Any]]
    errors: list[dict[str, Any]]


def upload(
    flow: Flow, batch: str, name: str, content: bytes, manifest: dict[str, Any], use_case: str = USE_CASE
) -> None:
    """One file, and the manifest after it."""
    for key, body in ((name, content), ("manifest.json", json.dumps(manifest).encode())):
        boto3.client("s3").put_object(Bucket=flow.bucket, Key=f"score/{use_case}/{batch}/{key}", Body=body)


def executions(flow: Flow, batch: str, use_case: str = USE_CASE) -> list[dict[str, Any]]:
    """The runs of a batch, the latest first."""
    client = boto3.client("stepfunctions")
    listed = client.list_executions(stateMachineArn=flow.stack.outputs["ScoringStateMachineArn"])["executions"]
    described = [dict(client.describe_execution(executionArn=each["executionArn"])) for each in listed]
    asked = {"use_case": use_case, "batch": batch}
    return [each for each in described if asked.items() <= json.loads(each["input"]).items()]


def ended(flow: Flow, batch: str, runs: int) -> list[dict[str, Any]]:
    """The runs of a batch, the latest first, when so many of them have ended."""
    until = time.monotonic() + _LIMIT_S
    while time.monotonic() < until:
        found = executions(flow, batch)
        if len(found) >= runs and all(each["status"] != "RUNNING" for each in found):
            break
        time.sleep(0.2)
    return found


def scored(flow: Flow, batch: str) -> Scored:
    """The only run of a batch, when it has ended."""
    (execution,) = ended(flow, batch, runs=1)
    return read(flow, execution)


def read(flow: Flow, execution: dict[str, Any]) -> Scored:
    """What a run that has ended published."""
    if execution["status"] != "SUCCEEDED":
        return Scored(execution, [], [])
    output = json.loads(execution["output"])
    errors = output["predictions"].replace("predictions/", "errors/", 1)
    return Scored(execution, parquet(flow, output["predictions"]), parquet(flow, errors))


def parquet(flow: Flow, prefix: str) -> list[dict[str, Any]]:
    """The rows of all Parquet files below ``prefix``."""
    client, rows = boto3.client("s3"), []
    for each in client.list_objects_v2(Bucket=flow.bucket, Prefix=prefix)["Contents"]:
        if each["Key"].endswith(".parquet"):
            body = client.get_object(Bucket=flow.bucket, Key=each["Key"])["Body"].read()
            rows += pq.read_table(io.BytesIO(body)).to_pylist()
    return rows


def start_scoring(flow: Flow, event: dict[str, Any]) -> list[str]:
    """The runs that the function answers an event with."""
    answer = boto3.client("lambda").invoke(
        FunctionName=flow.stack.physical_id("StartScoring"), Payload=json.dumps(event).encode()
    )
    runs: list[str] = json.loads(answer["Payload"].read())["runs"]
    return runs


def events_of_new_tenants() -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    names = ("event_id", "tenant_id", "portfolio_id", "channel", "direction", "opened_at", "first_response_at")
    writer.writerow((*names, "resolved_at"))
    for tenant in range(5):
        for number in range(10):
            opened = datetime.now(UTC) - timedelta(days=2 + 35 * number)
            times = [f"{opened + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (0, 2, 9)]
            writer.writerow((f"S{tenant}-{number}", f"SCORED-{tenant}", "Elm Court", "ticket", "", *times))
    return text.getvalue().encode()
