"""Things that break half-way: a named failure, nothing half-deployed, and a way on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

from demo.run import Release
from tests.flow.conftest import STATE, Flow


def function_name(logical_id: str) -> str:
    resources = boto3.client("cloudformation").describe_stack_resources(StackName="tenant-experience")["StackResources"]
    return next(found["PhysicalResourceId"] for found in resources if found["LogicalResourceId"] == logical_id)


@contextmanager
def without_setting(logical_id: str, setting: str) -> Iterator[None]:
    """Take a function one of its settings: it raises by name until it has it again."""
    functions, name = boto3.client("lambda"), function_name(logical_id)
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {key: value for key, value in variables.items() if key != setting}}
    )
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


class KillTraining(threading.Thread):
    """Waits for a training job's process and kills it: what a spot interruption or a full memory does."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.killed: int | None = None

    def run(self) -> None:
        deadline = time.monotonic() + 120
        while self.killed is None and time.monotonic() < deadline:
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
            time.sleep(0.01)


def test_a_training_job_that_is_killed_fails_the_release_by_name(flow: Flow, first: Release) -> None:
    before = flow.live()
    killer = KillTraining()
    killer.start()
    done = flow.release(flow.events(seed=0))
    killer.join()
    assert killer.killed is not None
    assert done.execution["status"] == "FAILED"
    assert "TrainModels/TrainModel" in done.visited
    assert "RequestApproval" not in done.visited
    mail = flow.mailbox.wait_for(f"Release {done.release}: States.", seconds=10)
    assert "redrive" in mail["text"]
    assert flow.live() == before
    assert flow.packages(done.release) == []
    assert first.release != done.release


def test_a_function_that_raises_fails_the_release_by_name_and_publishes_nothing(flow: Flow, first: Release) -> None:
    before = flow.live()
    with without_setting("SmokeTest", "ENDPOINT"):
        done = flow.release(flow.events(seed=0))
    assert done.execution["status"] == "FAILED"
    assert done.visited[-1] == "SmokeTest"
    assert done.execution["error"] == "PlatformError"
    assert "ENDPOINT" in done.execution["cause"]
    assert flow.live() == before
    assert flow.endpoint_status() == "InService"
    assert "ENDPOINT" in flow.mailbox.wait_for(f"Release {done.release}: PlatformError", seconds=10)["text"]
    assert first.release != done.release
