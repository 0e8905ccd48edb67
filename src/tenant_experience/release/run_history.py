"""What an execution has done so far: its stages, its shards and its jobs, from the events of its history."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

StageStatus = Literal["running", "waiting", "done", "failed", "stopped"]

_WAITS = ".waitForTaskToken"
# Where a job's request says what it runs on, by the action that starts it.
_RESOURCES: dict[str, tuple[str, ...]] = {
    "ProcessingJob": ("ProcessingResources", "ClusterConfig"),
    "TrainingJob": ("ResourceConfig",),
    "HyperParameterTuningJob": ("TrainingJobDefinition", "ResourceConfig"),
    "TransformJob": ("TransformResources",),
}
_ENDS: dict[str, StageStatus] = {
    "ExecutionFailed": "failed",
    "ExecutionTimedOut": "failed",
    "ExecutionAborted": "stopped",
}


@dataclass(frozen=True)
class Job:
    """A SageMaker job of a stage, and what it used.

    Attributes:
        kind: ``ProcessingJob``, ``TrainingJob``, ``HyperParameterTuningJob`` or ``TransformJob``.
        name: the job's name.
        instance_type: for example ``ml.m5.xlarge``; empty where it is not known.
        instances: how many of them.
        seconds: how long each of them ran; None while it runs. Of a tuning job, the sum over its training jobs.
    """

    kind: str
    name: str
    instance_type: str
    instances: int
    seconds: float | None


@dataclass(frozen=True)
class Shards:
    """How far the shards of a map are."""

    total: int
    done: int
    failed: int
    running: int


@dataclass(frozen=True)
class Stage:
    """A state that was entered.

    Attributes:
        name: the state's name.
        kind: its type: ``Task``, ``Map``, ``Choice``, ``Pass``, ``Fail`` or ``Succeed``.
        status: ``waiting`` is a task that somebody outside of the execution has to answer.
        started: when it was entered first.
        ended: when it was left, or failed; None while it runs.
        jobs: its jobs, in the order in which they were started; retries too. Empty without the execution's data.
        shards: of a distributed map; None for other states.
    """

    name: str
    kind: str
    status: StageStatus
    started: datetime
    ended: datetime | None = None
    jobs: tuple[Job, ...] = ()
    shards: Shards | None = None


@dataclass(frozen=True)
class Run:
    """An execution, from its start until now.

    Attributes:
        name: the release's id, or that of a roll-back.
        status: ``RUNNING``, ``SUCCEEDED``, ``FAILED``, ``TIMED_OUT`` or ``ABORTED``.
        started: when it began.
        ended: when it ended; None while it runs.
        given: its input.
        error: Step Functions' name of the error that ended it; empty for none.
        cause: that error's cause.
        stages: in the order in which they were entered first.
    """

    name: str
    status: str
    started: datetime
    ended: datetime | None
    given: Mapping[str, Any]
    error: str = ""
    cause: str = ""
    stages: tuple[Stage, ...] = ()

    def stage(self, name: str) -> Stage | None:
        """The stage of this state; None while it was not entered."""
        return next((stage for stage in self.stages if stage.name == name), None)


@dataclass(frozen=True)
class JobUse:
    """The jobs of a whole run.

    Attributes:
        jobs: of the run itself.
        shard_jobs: of the shards that were read.
        shards_read: how many shards were read.
        shards: how many there are.
    """

    jobs: tuple[Job, ...]
    shard_jobs: tuple[Job, ...] = ()
    shards_read: int = 0
    shards: int = 0

    @property
    def instance_seconds(self) -> dict[str, float]:
        """Instance type -> seconds. Shards that were not read count as those that were, on average."""
        used: defaultdict[str, float] = defaultdict(float)
        factor = self.shards / self.shards_read if self.shards_read else 1.0
        for jobs, weight in ((self.jobs, 1.0), (self.shard_jobs, factor)):
            for job in jobs:
                used[job.instance_type] += weight * job.instances * (job.seconds or 0.0)
        return dict(used)


def stages(events: Iterable[Mapping[str, Any]]) -> tuple[Stage, ...]:
    """The stages of an execution.

    A redriven execution goes on in the stage that failed: that stage began when it was entered first, and is running
    again.

    Args:
        events: all events of ``GetExecutionHistory`` in their order; of its data, only the requests and the results of
            jobs are read, and only where they were asked for.
    """
    seen = _Seen()
    for event in events:
        seen.take(event)
    return tuple(seen.stages.values())


@dataclass
class _Seen:
    """The events read so far."""

    stages: dict[str, Stage] = field(default_factory=dict)
    current: str = ""
    # The job that runs, and when it was started.
    job: tuple[Job, Mapping[str, Any], datetime] | None = None

    def take(self, event: Mapping[str, Any]) -> None:
        kind, at = str(event["type"]), event["timestamp"]
        if kind.endswith("StateEntered"):
            self._enter(event["stateEnteredEventDetails"]["name"], kind.removesuffix("StateEntered"), at)
        elif kind.endswith("StateExited"):
            self._change(event["stateExitedEventDetails"]["name"], status="done", ended=at)
        elif kind in _ENDS:
            self._end_job({}, at)
            self._change(self.current, status=_ENDS[kind], ended=at)
        elif kind == "ExecutionRedriven":
            self._change(self.current, status="running", ended=None)
        elif kind == "TaskScheduled":
            self._schedule(event["taskScheduledEventDetails"], at)
        elif kind in ("TaskSucceeded", "TaskFailed", "TaskTimedOut"):
            self._end_job(document(event.get("taskSucceededEventDetails", {}).get("output")), at)

    def _enter(self, name: str, kind: str, at: datetime) -> None:
        if name in self.stages:
            self._change(name, status="running", ended=None)
        else:
            self.stages[name] = Stage(name, kind, "running", at)
        self.current = name

    def _change(self, name: str, **changes: Any) -> None:
        stage = self.stages.get(name)
        # What ended before, because a redrive went on elsewhere, stays as it is.
        if stage is not None:
            self.stages[name] = replace(stage, **changes)

    def _schedule(self, details: Mapping[str, Any], at: datetime) -> None:
        resource = str(details.get("resource", ""))
        if resource.endswith(_WAITS):
            self._change(self.current, status="waiting")
        kind = resource.removesuffix(".sync").removeprefix("create")
        asked = document(details.get("parameters"))
        if kind in _RESOURCES and asked:
            self.job = _job(kind, asked), asked, at

    def _end_job(self, result: Mapping[str, Any], at: datetime) -> None:
        stage = self.stages.get(self.current)
        if stage is None or self.job is None:
            return
        job, asked, began = self.job
        ended = replace(job, seconds=_seconds(job.kind, asked, result, (at - began).total_seconds()))
        self._change(self.current, jobs=(*stage.jobs, ended))
        self.job = None


def document(text: Any) -> Mapping[str, Any]:
    """A JSON object; empty for anything else, such as data that was not asked for or that was cut."""
    try:
        document = json.loads(text or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _job(kind: str, asked: Mapping[str, Any]) -> Job:
    """What a request to start a job says."""
    name = str(asked.get(f"{kind}Name", ""))
    resources: Any = asked
    for member in _RESOURCES[kind]:
        resources = resources.get(member) or {}
    return Job(kind, name, str(resources.get("InstanceType", "")), int(resources.get("InstanceCount", 1)), None)


def _seconds(kind: str, asked: Mapping[str, Any], result: Mapping[str, Any], passed: float) -> float:
    """How long a job's instances ran: as its description says, else as long as the execution waited for it."""
    if kind == "HyperParameterTuningJob":
        consumed = result.get("ConsumedResources") or {}
        limits = (asked.get("HyperParameterTuningJobConfig") or {}).get("ResourceLimits") or {}
        return float(consumed.get("RuntimeInSeconds") or passed * int(limits.get("MaxParallelTrainingJobs", 1)))
    if "BillableTimeInSeconds" in result:
        return float(result["BillableTimeInSeconds"])
    prefix = kind.removesuffix("Job")
    began, ended = result.get(f"{prefix}StartTime"), result.get(f"{prefix}EndTime")
    if isinstance(began, int | float) and isinstance(ended, int | float):
        return max(0.0, (ended - began) / 1000)  # Step Functions writes milliseconds
    return passed


def shards(counts: Mapping[str, int]) -> Shards:
    """How far the shards are, from the ``itemCounts`` of a Map Run."""
    failed = sum(counts.get(name, 0) for name in ("failed", "timedOut", "aborted"))
    return Shards(counts.get("total", 0), counts.get("succeeded", 0), failed, counts.get("running", 0))
