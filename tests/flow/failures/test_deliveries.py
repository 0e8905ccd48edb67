"""Decisions, events and e-mails that do not arrive, or arrive twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from operations.batch import RawBatch
from operations.releases import FinishedRelease, executions
from tests.support.drives import Drive
from tests.support.fault_rules import operation
from tests.support.flow import Flow
from tests.support.waiting import until

TENANTS = 700


@pytest.mark.slow
def test_a_release_nobody_decides_about_expires_by_name(flow: Flow, first: FinishedRelease) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    before = flow.live()
    rule = {"function": "*RequestApproval*", "error": {"code": "States.Timeout"}, "lose_answer": True}
    drive = Drive(flow, decide=lambda _mail: None)
    with flow.failing(rule):
        drive.start(flow.events(seed=23, tenants=TENANTS))
        stop = drive.follow()
    assert (stop.status, stop.state, stop.error) == ("FAILED", "ApprovalExpired", "ApprovalExpired")
    assert stop.packages == [("Rejected", "expired by nobody: no decision in time")]
    assert "Upload the batch again" in stop.mail
    assert flow.live() == before
    link = drive.mails(f"Decision needed: release {drive.release}")[0]["links"][0]
    late = flow.http.get(link)
    assert "The time to decide is over" in late.text
    assert "<form" not in late.text
    assert flow.live() == before


def test_an_event_whose_function_fails_is_delivered_again_and_counts_once(
    flow: Flow, first: FinishedRelease, tmp_path: Path
) -> None:
    assert first.execution["status"] == "SUCCEEDED"
    (tmp_path / "empty.csv").write_bytes(b"")
    error = {"code": "RuntimeError"}
    rules: list[dict[str, Any]] = [
        {"function": "*StartRelease*", "error": error, "times": 1, "lose_answer": True},
        {"function": "*NotifyFailure*", "error": error, "times": 1},
        {"operation": "stepfunctions:StartExecution", "delay_seconds": 0},  # counts the calls
    ]
    drive = Drive(flow)
    before = executions(flow.stack)
    with flow.failing(*rules) as fired:
        drive.start(RawBatch("delivered-twice", (tmp_path / "empty.csv",), {"source": "events"}))
        stop = drive.follow()
        until(lambda: fired() == [1, 1, 2], "the events were not delivered again")
    assert (stop.state, stop.error.partition(".")[0]) == ("DataRefused", "UserError")
    assert len(executions(flow.stack) - before) == 1
    assert len(drive.failure_mails("UserError.")) == 1


def test_a_rule_that_can_never_match_is_refused_by_name(flow: Flow) -> None:
    refused = flow.http.put(flow.faults_url, json=[operation("sagemaker:CreateTrainJob", "X")])
    assert refused.status_code == 400
    assert "CreateTrainJob" in json.dumps(refused.json())
    assert flow.http.get(flow.faults_url).json() == []
