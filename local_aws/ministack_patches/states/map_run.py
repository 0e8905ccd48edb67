"""A Map Run: its counts, its threshold, and its children, as DescribeMapRun and ListExecutions show them."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields
from local_aws.ministack_patches.states.running import Execution, Run

_COUNTS = (
    "pending",
    "running",
    "succeeded",
    "failed",
    "timedOut",
    "aborted",
    "total",
    "resultsWritten",
    "failuresNotRedrivable",
    "pendingRedrive",
)


class MapRun:
    """MiniStack's record of a Map Run (``_map_runs``), and its running children."""

    def __init__(self, record: dict[str, Any]) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._running: set[Run] = set()
        self._aborted = False
        self.may_stop: Callable[[], bool] = lambda: True  # children that may not be stopped run to their end

    @classmethod
    def start(cls, state: dict[str, Any], execution: Execution, total: int, limits: dict[str, float]) -> MapRun:
        """A new Map Run. A redriven execution continues the failed one of the same state."""
        _, _, _, region, account, _, machine = execution["stateMachineArn"].split(":")
        label = state.get("Label") or str(uuid.uuid4())
        earlier = _failed_run_of(execution, f"{machine}/{label}:", total)
        if earlier is not None:
            return earlier
        arn = f"arn:aws:states:{region}:{account}:mapRun:{machine}/{label}:{uuid.uuid4()}"
        counts = {**dict.fromkeys(_COUNTS, 0), "total": total, "pending": total}
        record = {
            "mapRunArn": arn,
            "executionArn": execution["executionArn"],
            "status": "RUNNING",
            "startDate": fields.now_iso(),
            "maxConcurrency": int(limits.get("MaxConcurrency", 0)),
            "toleratedFailurePercentage": limits.get("ToleratedFailurePercentage", 0.0),
            "toleratedFailureCount": int(limits.get("ToleratedFailureCount", 0)),
            "itemCounts": dict(counts),
            "executionCounts": dict(counts),
            "redriveCount": 0,
            "_stateMachineArn": f"arn:aws:states:{region}:{account}:stateMachine:{machine}/{label}",
            "_limits": limits,
            "_succeeded": {},  # index of an item (text, as JSON has it) -> ARN of the child that did it
        }
        sfn._map_runs[arn] = record
        return cls(record)

    @property
    def arn(self) -> str:
        """The Map Run's ARN."""
        return str(self._record["mapRunArn"])

    @property
    def child_machine_arn(self) -> str:
        """The ARN that a child execution has as its state machine."""
        return str(self._record["_stateMachineArn"])

    @property
    def max_concurrency(self) -> int:
        """0: as many as there are."""
        return int(self._record["maxConcurrency"])

    @property
    def redrive_count(self) -> int:
        """How often it was redriven."""
        return int(self._record["redriveCount"])

    @property
    def has_exceeded(self) -> bool:
        """Whether more children failed than the state tolerates. Without a threshold no child may fail."""
        failed = self._record["executionCounts"]["failed"]
        limits = self._record["_limits"]
        allowed = []
        if "ToleratedFailureCount" in limits:
            allowed.append(limits["ToleratedFailureCount"])
        if "ToleratedFailurePercentage" in limits:
            allowed.append(limits["ToleratedFailurePercentage"] * self._record["executionCounts"]["total"] / 100)
        return bool(failed > min(allowed, default=0))

    @property
    def is_over(self) -> bool:
        """Whether no further child may start."""
        return self._aborted or self.has_exceeded

    def child_arn(self, name: str) -> str:
        """The ARN of a child execution."""
        return self.child_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"

    def has_succeeded(self, index: int) -> bool:
        """Whether an earlier run completed this item."""
        return str(index) in self._record["_succeeded"]

    @contextmanager
    def child(self, index: int, run: Run) -> Iterator[None]:
        """Count a child while it runs and afterwards. One failure too many ends its siblings."""
        with self._lock:
            self._running.add(run)
            self._count("pending", -1)
            self._count("running", 1)
        if self.is_over:
            run.end()
        yield
        status = run.execution["status"]
        with self._lock:
            self._running.discard(run)
            self._count("running", -1)
            self._count({"SUCCEEDED": "succeeded", "FAILED": "failed"}.get(status, "aborted"), 1)
            if status == "SUCCEEDED":
                self._record["_succeeded"][str(index)] = run.execution["executionArn"]
        if self.has_exceeded:
            self._end_children()

    def skipped(self) -> None:
        """Count a child that never started."""
        with self._lock:
            self._count("pending", -1)
            self._count("aborted", 1)

    def abort(self) -> None:
        """End the children, because the parent has ended."""
        self._aborted = True
        self._end_children()
        self.finish("ABORTED")

    def finish(self, status: str) -> None:
        """Set SUCCEEDED, FAILED or ABORTED; later calls change nothing."""
        with self._lock:
            if self._record["status"] == "RUNNING":
                self._record.update(status=status, stopDate=fields.now_iso())

    def results(self) -> list[Any]:
        """The outputs of the children that succeeded, in the items' order."""
        succeeded = sorted(self._record["_succeeded"].items(), key=lambda pair: int(pair[0]))
        return [json.loads(sfn._executions[arn]["output"]) for _, arn in succeeded]

    def _end_children(self) -> None:
        with self._lock:
            running = list(self._running)
        if running and self.may_stop():
            for run in running:
                run.end()

    def _count(self, what: str, change: int) -> None:
        for counts in (self._record["itemCounts"], self._record["executionCounts"]):
            counts[what] += change


def _failed_run_of(execution: Execution, name_start: str, total: int) -> MapRun | None:
    """The unfinished Map Run that a redrive continues: same state, same number of items."""
    for record in sfn._map_runs.values():
        same = record["executionArn"] == execution["executionArn"] and f":mapRun:{name_start}" in record["mapRunArn"]
        if not same or record["status"] == "SUCCEEDED" or not execution.get("redriveCount"):
            continue
        if record["executionCounts"]["total"] != total or record["redriveCount"] >= execution["redriveCount"]:
            continue
        done = len(record["_succeeded"])
        counts = {**dict.fromkeys(_COUNTS, 0), "total": total, "succeeded": done, "pending": total - done}
        record.update(
            status="RUNNING",
            itemCounts=dict(counts),
            executionCounts=dict(counts),
            redriveCount=execution["redriveCount"],
            redriveDate=fields.now_iso(),
        )
        record.pop("stopDate", None)
        return MapRun(record)
    return None
