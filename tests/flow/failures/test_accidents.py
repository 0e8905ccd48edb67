"""Things that break half-way: a named failure, nothing half-deployed, and a way on."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from operations.releases import FinishedRelease
from tests.support.flow import STATE, Flow


class KillTraining(threading.Thread):
    """Waits for a training job's process and kills it, as a spot interruption or a full memory does."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._ended = threading.Event()
        self.killed: int | None = None

    def run(self) -> None:
        while self.killed is None and not self._ended.wait(0.01):
            for status in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = status.read_bytes().split(b"\0")
                    here = any(b"container/train" in word for word in words)
                except OSError:
                    continue
                environment = (status.parent / "environ").read_bytes() if here else b""
                if str(STATE).encode() in environment:
                    os.kill(int(status.parent.name), signal.SIGKILL)
                    self.killed = int(status.parent.name)

    def end(self) -> None:
        self._ended.set()
        self.join()


def test_a_training_job_that_is_killed_fails_the_release_by_name(flow: Flow, first: FinishedRelease) -> None:
    before = flow.live()
    killer = KillTraining()
    killer.start()
    batch = flow.events(seed=0)
    done = flow.release(batch)
    killer.end()
    assert killer.killed is not None
    assert done.execution["status"] == "FAILED"
    assert "TrainModels/TrainModel" in done.visited
    assert "RequestApproval" not in done.visited
    mail = flow.mailbox.wait_for(f"Release {done.release}: a job failed")
    for_everybody, _, for_the_operator = mail["text"].partition("For the operator")
    assert f"raw/tenant_experience/{batch.name}/" in for_everybody
    assert "The job that trains the model failed (shard 0)." in for_everybody
    assert "redrives" in for_everybody
    assert "arn:" not in for_everybody
    assert f"-{done.release}-train-model-0-0-0 is Failed: " in for_the_operator
    assert "Log: group /aws/sagemaker/TrainingJobs, streams that begin with " in for_the_operator
    assert flow.live() == before
    assert flow.packages(done.release) == []
    assert first.release != done.release


@pytest.mark.slow
def test_a_function_that_raises_fails_the_release_by_name_and_publishes_nothing(
    flow: Flow, first: FinishedRelease
) -> None:
    before = flow.live()
    with flow.changed_function("SmokeTest", ENDPOINT=None):
        done = flow.release(flow.events(seed=0))
    assert done.execution["status"] == "FAILED"
    assert done.visited[-1] == "SmokeTest"
    assert done.execution["error"] == "PlatformError"
    assert "ENDPOINT" in done.execution["cause"]
    assert flow.live() == before
    assert flow.endpoint_status() == "InService"
    assert "ENDPOINT" in flow.mailbox.wait_for(f"Release {done.release}: a step failed")["text"]
    assert first.release != done.release
