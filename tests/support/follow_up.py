"""What the schedule of FollowUpApprovals does, called by a test."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import boto3

from tests.support.flow import Flow


def follow_up(flow: Flow, at: float) -> dict[str, int]:
    """What the schedule does, at a time that need not be now."""
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    called = boto3.client("lambda").invoke(
        FunctionName=flow.stack.physical_id("FollowUpApprovals"), Payload=json.dumps({"time": when})
    )
    answer: dict[str, int] = json.loads(called["Payload"].read())
    assert "FunctionError" not in called, answer
    return {name: value for name, value in answer.items() if value}
