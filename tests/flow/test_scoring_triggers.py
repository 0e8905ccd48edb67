"""What starts a scoring run besides a manifest, the same batch twice, and a run that is stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from operations.releases import FinishedRelease
from tests.support.flow import Flow
from tests.support.scoring_runs import (
    USE_CASE,
    ended,
    events_of_new_tenants,
    executions,
    read,
    scored,
    start_scoring,
    upload,
)

pytestmark = pytest.mark.slow
_LIMIT_S = 300
NIGHT = "cron(0 3 * * ? *)"


@contextmanager
def deployed_with(flow: Flow, **wanted: str) -> Iterator[None]:
    """The stack with other parameters, for as long as this lasts."""
    client, name = boto3.client("cloudformation"), flow.stack.name
    before = {
        each["ParameterKey"]: each["ParameterValue"]
        for each in client.describe_stacks(StackName=name)["Stacks"][0]["Parameters"]
    }

    def update(values: dict[str, str]) -> None:
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
        client.update_stack(
            StackName=name,
            UsePreviousTemplate=True,
            Parameters=given,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    update(before | wanted)
    try:
        yield
    finally:
        update(before)


def until(holds: Callable[[], object], otherwise: str) -> None:
    end = time.monotonic() + _LIMIT_S
    while not holds():
        assert time.monotonic() < end, otherwise
        time.sleep(0.2)


def test_the_night_and_a_release_score_everybody_once(flow: Flow, first: FinishedRelease) -> None:
    scheduler, lives = boto3.client("scheduler"), flow.live()
    assert first.release
    assert lives is not None
    with deployed_with(flow, NightlyScoring=NIGHT, ScoreAfterRelease="true"):
        (schedule,) = scheduler.list_schedules()["Schedules"]
        declared = scheduler.get_schedule(Name=schedule["Name"])
        assert (declared["ScheduleExpression"], declared["ScheduleExpressionTimezone"]) == (NIGHT, "UTC")
        moment = datetime.now(UTC) + timedelta(seconds=2)
        for name in ("tonight", "tonight-again"):
            scheduler.create_schedule(
                Name=name,
                ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target=declared["Target"],
                ActionAfterCompletion="DELETE",
            )
        night = f"nightly-{moment:%Y-%m-%d}"
        nightly = scored(flow, night)
        assert nightly.execution["status"] == "SUCCEEDED", (nightly.execution.get("error"), nightly.execution["cause"])
        assert {row["scored_at"] for row in nightly.rows} == {f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
        until(
            lambda: [each["Name"] for each in scheduler.list_schedules()["Schedules"]] == [schedule["Name"]],
            "a schedule is still waiting",
        )
        later = f"{moment + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
        start_scoring(flow, {"detail-type": "Nightly Scoring", "time": later, "detail": {}})
        assert len(executions(flow, night)) == 1

        second = flow.release(flow.events(seed=1))
        after = scored(flow, f"release-{second.release}")
        assert after.execution["status"] == "SUCCEEDED", (after.execution.get("error"), after.execution["cause"])
        live = flow.live()
        assert live is not None
        assert {row["model_version"] for row in after.rows if row["model_version"]} == set(live["models"].values())
    assert scheduler.list_schedules()["Schedules"] == []


def test_the_same_batch_again_with_other_content_replaces_its_answers(flow: Flow, first: FinishedRelease) -> None:
    assert first.release
    upload(flow, "twice", "ids.csv", b"tenant_id\nT000001\nT000002\nNOBODY\n", {"source": "ids", "format": "csv"})
    (before,) = ended(flow, "twice", runs=1)
    folder = json.loads(before["output"])["predictions"]
    store = boto3.client("s3")
    store.copy_object(  # as an earlier run of more rows left it
        Bucket=flow.bucket, Key=f"{folder}part-00001.parquet", CopySource=f"{flow.bucket}/{folder}part-00000.parquet"
    )
    upload(flow, "twice", "ids.csv", b"tenant_id\nT000003\n", {"source": "ids"})
    again = read(flow, ended(flow, "twice", runs=2)[0])
    assert json.loads(again.execution["output"])["predictions"] == folder
    assert ([row["record_id"] for row in again.rows], again.errors) == (["T000003"], [])
    listed = store.list_objects_v2(Bucket=flow.bucket, Prefix=folder)["Contents"]
    assert [each["Key"] for each in listed] == [f"{folder}part-00000.parquet"]


def test_one_file_is_read_as_it_was_when_it_was_asked_for(flow: Flow, first: FinishedRelease) -> None:
    assert first.release
    store, batch = boto3.client("s3"), "b" * 128
    key = f"score/{USE_CASE}/files/{'long' * 60}/Anrufe \u00fc + 100%20.csv"
    version = store.put_object(Bucket=flow.bucket, Key=key, Body=events_of_new_tenants())["VersionId"]
    store.put_object(Bucket=flow.bucket, Key=key, Body=b"something else")
    asked = {"use_case": USE_CASE, "batch": batch, "key": key, "version_id": version}
    entry = {"Source": "tenant-experience", "DetailType": "Scoring Requested", "Detail": json.dumps(asked)}
    boto3.client("events").put_events(Entries=[entry])
    done = scored(flow, batch)
    assert done.execution["status"] == "SUCCEEDED", (done.execution.get("error"), done.execution.get("cause"))
    assert {row["record_id"] for row in done.rows} == {f"SCORED-{number}" for number in range(5)}


@pytest.mark.parametrize(("state", "jobs"), [("PrepareScoring", "processing"), ("TransformRows", "transform")])
def test_a_run_that_is_stopped_stops_its_job(flow: Flow, first: FinishedRelease, state: str, jobs: str) -> None:
    states, sagemaker = boto3.client("stepfunctions"), boto3.client("sagemaker")
    given = {"detail-type": "Step Functions Execution Status Change", "time": "2026-11-29T11:00:00Z"}
    output = json.dumps({"release": f"{state[:9].lower()}-1", "models": 1})
    detail = {"input": first.execution["input"], "output": output}
    (run,) = start_scoring(flow, {**given, "detail": detail})
    arn = flow.stack.outputs["ScoringStateMachineArn"].replace(":stateMachine:", ":execution:") + f":{run}"

    def names(status: str) -> list[str]:
        if jobs == "processing":
            listed = sagemaker.list_processing_jobs(NameContains=run, StatusEquals=status)["ProcessingJobSummaries"]
            return [each["ProcessingJobName"] for each in listed]
        found = sagemaker.list_transform_jobs(NameContains=run, StatusEquals=status)["TransformJobSummaries"]
        return [each["TransformJobName"] for each in found]

    until(lambda: names("InProgress"), f"{state} does not begin")
    (name,) = names("InProgress")
    states.stop_execution(executionArn=arn)
    until(lambda: names("Stopped") == [name], f"{state} goes on without its execution")
