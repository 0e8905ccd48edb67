"""The stages of an execution and the jobs in them, from events as Step Functions writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenant_experience.release import run_history
from tenant_experience.release.run_history import Job, JobUse, Shards, Stage

START = datetime(2026, 11, 29, 10, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(seconds: float, kind: str, **details: Any) -> dict[str, Any]:
    """An event with its details, whose member is called after the kind."""
    named = {"StateEntered": "stateEntered", "StateExited": "stateExited"}
    member = next((name for end, name in named.items() if kind.endswith(end)), kind[:1].lower() + kind[1:])
    return {"timestamp": at(seconds), "type": kind, f"{member}EventDetails": details}


def entered(seconds: float, name: str, kind: str = "Task") -> dict[str, Any]:
    return event(seconds, f"{kind}StateEntered", name=name)


def exited(seconds: float, name: str, kind: str = "Task") -> dict[str, Any]:
    return event(seconds, f"{kind}StateExited", name=name)


def scheduled(seconds: float, resource: str, **parameters: Any) -> dict[str, Any]:
    given = {"parameters": json.dumps(parameters)} if parameters else {}
    return event(seconds, "TaskScheduled", resourceType="sagemaker", resource=resource, **given)


def processing(name: str, count: int = 1) -> dict[str, Any]:
    cluster = {"InstanceType": "ml.m5.xlarge", "InstanceCount": count}
    return {"ProcessingJobName": name, "ProcessingResources": {"ClusterConfig": cluster}}


def test_states_that_were_left_are_done_and_the_last_one_runs() -> None:
    events = [
        event(0, "ExecutionStarted"),
        entered(0, "Begin", "Pass"),
        exited(0, "Begin", "Pass"),
        entered(1, "BuildFeatures"),
        scheduled(1, "createProcessingJob.sync"),
    ]
    assert run_history.stages(events) == (
        Stage("Begin", "Pass", "done", at(0), at(0)),
        Stage("BuildFeatures", "Task", "running", at(1)),
    )


def test_a_task_with_a_token_waits_until_it_is_answered() -> None:
    waits = [entered(1, "RequestApproval"), scheduled(1, "invoke.waitForTaskToken")]
    assert run_history.stages(waits)[0].status == "waiting"
    [stage] = run_history.stages([*waits, event(9, "TaskSucceeded"), exited(9, "RequestApproval")])
    assert (stage.status, stage.ended) == ("done", at(9))


@pytest.mark.parametrize(
    ("end", "status"),
    [("ExecutionFailed", "failed"), ("ExecutionTimedOut", "failed"), ("ExecutionAborted", "stopped")],
)
def test_the_state_in_which_an_execution_ended_failed(end: str, status: str) -> None:
    [stage] = run_history.stages([entered(1, "SmokeTest"), event(5, end)])
    assert (stage.status, stage.ended) == (status, at(5))


@pytest.mark.parametrize("enters_again", [True, False])
def test_a_redriven_stage_runs_again_and_keeps_its_start(enters_again: bool) -> None:
    events = [entered(1, "SmokeTest"), event(5, "ExecutionFailed"), event(60, "ExecutionRedriven")]
    events += [entered(60, "SmokeTest")] if enters_again else []
    assert run_history.stages(events) == (Stage("SmokeTest", "Task", "running", at(1)),)
    done = [exited(70, "SmokeTest"), entered(70, "PublishRelease")]
    first, second = run_history.stages([*events, *done])
    assert first == Stage("SmokeTest", "Task", "done", at(1), at(70))
    assert second.status == "running"


def test_a_job_says_what_it_ran_on_and_how_long() -> None:
    result = {"ProcessingStartTime": 1_000_000, "ProcessingEndTime": 1_090_000}
    events = [
        entered(0, "BuildFeatures"),
        scheduled(0, "createProcessingJob.sync", **processing("b-0", 3)),
        event(50, "TaskFailed", error="SageMaker.ResourceLimitExceededException"),
        scheduled(60, "createProcessingJob.sync", **processing("b-1", 3)),
        event(200, "TaskSucceeded", output=json.dumps(result)),
        exited(200, "BuildFeatures"),
    ]
    [stage] = run_history.stages(events)
    assert stage.jobs == (
        Job("ProcessingJob", "b-0", "ml.m5.xlarge", 3, 50.0),
        Job("ProcessingJob", "b-1", "ml.m5.xlarge", 3, 90.0),
    )


def test_a_training_job_counts_what_is_billed_and_a_tuning_job_all_its_jobs() -> None:
    training = {"TrainingJobName": "t", "ResourceConfig": {"InstanceType": "ml.c5.large", "InstanceCount": 1}}
    limits = {"MaxNumberOfTrainingJobs": 8, "MaxParallelTrainingJobs": 2}
    tuning = {
        "HyperParameterTuningJobName": "h",
        "HyperParameterTuningJobConfig": {"ResourceLimits": limits},
        "TrainingJobDefinition": {"ResourceConfig": {"InstanceType": "ml.c5.large", "InstanceCount": 1}},
    }
    events = [
        entered(0, "TrainModel"),
        scheduled(0, "createTrainingJob.sync", **training),
        event(90, "TaskSucceeded", output='{"BillableTimeInSeconds": 61}'),
        exited(90, "TrainModel"),
        entered(90, "TuneModel"),
        scheduled(90, "createHyperParameterTuningJob.sync", **tuning),
        event(190, "TaskSucceeded", output='{"ConsumedResources": {"RuntimeInSeconds": 333}}'),
    ]
    first, second = run_history.stages(events)
    assert [job.seconds for job in (*first.jobs, *second.jobs)] == [61.0, 333.0]
    events[-1] = event(190, "TaskSucceeded", output="{}")
    assert run_history.stages(events)[1].jobs == (Job("HyperParameterTuningJob", "h", "ml.c5.large", 1, 200.0),)


def test_a_call_that_is_no_job_and_data_that_was_cut_are_no_jobs() -> None:
    events = [
        entered(0, "ReadLiveRelease"),
        scheduled(0, "getItem", TableName="releases"),
        event(1, "TaskSucceeded", output="{"),
        exited(1, "ReadLiveRelease"),
    ]
    assert run_history.stages(events)[0].jobs == ()


def test_shards_that_were_not_read_count_as_those_that_were() -> None:
    job = Job("ProcessingJob", "b", "ml.m5.xlarge", 2, 100.0)
    use = JobUse((job,), (Job("TrainingJob", "t", "ml.c5.large", 1, 30.0),), shards_read=2, shards=6)
    assert use.instance_seconds == {"ml.m5.xlarge": 200.0, "ml.c5.large": 90.0}
    assert JobUse((job, Job("ProcessingJob", "r", "ml.m5.xlarge", 1, None))).instance_seconds == {"ml.m5.xlarge": 200.0}


def test_every_way_to_fail_is_a_failed_shard() -> None:
    counts = {"total": 9, "succeeded": 2, "failed": 1, "timedOut": 1, "aborted": 1, "running": 3, "pending": 1}
    assert run_history.shards(counts) == Shards(total=9, done=2, failed=3, running=3)
