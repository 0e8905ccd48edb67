"""What Step Functions knows about a run: its stages, how far its shards are, and the jobs that it has started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from tenant_experience.aws.executions import stepfunctions
from tenant_experience.errors import UserError
from tenant_experience.release import run_history
from tenant_experience.release.run_history import Job, JobUse, Run, Stage


def read(execution_arn: str) -> Run:
    """A run with its stages, without the jobs.

    The data of its states is not read: that of a decision that is waited for holds a task token.

    Raises:
        UserError: ``unknown_run`` when there is no such execution, or none any more: AWS keeps them for 90 days.
    """
    client = stepfunctions()
    try:
        described = client.describe_execution(executionArn=execution_arn)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        raise UserError(
            "this run is not known any more: AWS forgets an execution 90 days after its end", code="unknown_run"
        ) from error
    stages = run_history.stages(_events(execution_arn, with_data=False))
    if any(stage.kind == "Map" for stage in stages):
        stages = tuple(_with_shards(stage, execution_arn) for stage in stages)
    return Run(
        name=described["name"],
        status=described["status"],
        started=described["startDate"],
        ended=described.get("stopDate"),
        given=run_history.document(described.get("input")),
        error=described.get("error", ""),
        cause=described.get("cause", ""),
        stages=stages,
    )


def jobs(execution_arn: str, *, most_shards: int = 50) -> JobUse:
    """The jobs of a run with their instance types and seconds: what it has used so far.

    Args:
        execution_arn: the run.
        most_shards: how many shards are read, each by a call of its own; ``JobUse`` counts the others like these.
    """
    own = tuple(_jobs(execution_arn))
    map_run = _newest_map_run(execution_arn)
    if map_run is None:
        return JobUse(own)
    listed = stepfunctions().get_paginator("list_executions").paginate(mapRunArn=map_run["mapRunArn"])
    children = [child["executionArn"] for page in listed for child in page["executions"]]
    read_children = children[:most_shards]
    of_shards = tuple(job for child in read_children for job in _jobs(child))
    return JobUse(own, of_shards, len(read_children), len(children))


def _jobs(execution_arn: str) -> list[Job]:
    return [job for stage in run_history.stages(_events(execution_arn, with_data=True)) for job in stage.jobs]


def _events(execution_arn: str, *, with_data: bool) -> list[Mapping[str, Any]]:
    pages = (
        stepfunctions()
        .get_paginator("get_execution_history")
        .paginate(executionArn=execution_arn, includeExecutionData=with_data)
    )
    return [event for page in pages for event in page["events"]]


def _with_shards(stage: Stage, execution_arn: str) -> Stage:
    map_run = _newest_map_run(execution_arn) if stage.kind == "Map" else None
    if map_run is None:
        return stage
    counts: Any = stepfunctions().describe_map_run(mapRunArn=map_run["mapRunArn"])["itemCounts"]
    return replace(stage, shards=run_history.shards(counts))


def _newest_map_run(execution_arn: str) -> Mapping[str, Any] | None:
    runs = stepfunctions().list_map_runs(executionArn=execution_arn)["mapRuns"]
    return max(runs, key=lambda run: run["startDate"]) if runs else None
