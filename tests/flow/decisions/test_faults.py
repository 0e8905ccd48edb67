"""A decision is never lost and never made twice, whatever fails between the form and the execution that waits."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.fault_rules import operation
from tests.support.flow import Flow
from tests.support.follow_up import follow_up
from tests.support.waiting import until
from tests.support.waiting_request import WaitingRequest, open_waiting, settings

ADA = "approver@example.com"
TIMED_OUT = {"code": "Sandbox.Timedout"}
RULES: dict[str, dict[str, Any]] = {
    "function timed out before": {"function": "*Approvals-*", "error": TIMED_OUT, "times": 1},
    "function timed out after": {"function": "*Approvals-*", "error": TIMED_OUT, "times": 1, "lose_answer": True},
    "function killed in the callback": {"operation": "stepfunctions:SendTaskSuccess", "delay_seconds": 90, "times": 1},
    "callback throttled": operation("stepfunctions:SendTaskSuccess", "KmsThrottlingException", times=5),
    "table down": operation("dynamodb:TransactWriteItems", "InternalServerError", 500, times=12),
    "table's answer lost": operation(
        "dynamodb:TransactWriteItems", "InternalServerError", 500, times=1, lose_answer=True
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_the_same_form_sent_again_ends_in_one_decision(flow: Flow, name: str) -> None:
    with settings(flow):
        asked = open_waiting(flow, f"fault-{list(RULES).index(name)}", [ADA])
        form = asked.second_form(ADA, "approve")
        with flow.failing(RULES[name]) as fired:
            statuses = [_status(flow, form)]
            while statuses[-1] != 303 and len(statuses) < 8:
                statuses.append(_status(flow, form))
            assert fired()[0] >= 1
        assert statuses[-1] == 303, statuses
        assert set(statuses[:-1]) <= {500, 502, 503, 504}
        assert_decided_once(asked)


@pytest.mark.slow
def test_a_decision_whose_approver_has_gone_home_is_delivered_by_the_follow_up(flow: Flow) -> None:
    with settings(flow):
        asked = open_waiting(flow, "fault-followed", [ADA])
        form = asked.second_form(ADA, "approve")
        with flow.failing(operation("stepfunctions:SendTaskSuccess", "KmsThrottlingException")):
            assert _status(flow, form) == 503
            assert follow_up(flow, time.time() + 700)["failed"] >= 1
        assert (asked.stored().status, asked.status()) == ("approved", "RUNNING")
        assert follow_up(flow, time.time() + 700)["delivered"] >= 1
        follow_up(flow, time.time() + 700)
        assert_decided_once(asked)


@pytest.mark.slow
def test_a_code_that_sns_does_not_take_is_asked_for_again(flow: Flow) -> None:
    with settings(flow):
        asked = open_waiting(flow, "fault-sns", [ADA])
        form = asked.first_form(ADA, decision="approve", reason="looks right")
        rule = operation("sns:Publish", "InternalError", 500, match={"Subject": "Your code*"})
        with flow.failing(rule):
            assert form.submit({}).status_code == 503
        assert flow.mailbox.find(f"Your code to decide about release {asked.release}") is None
        assert asked.stored().votes == ()
        assert _status(flow, asked.second_form(ADA, "approve")) == 303
        assert_decided_once(asked)


def assert_decided_once(asked: WaitingRequest) -> None:
    """The execution has the one vote, once, and the audit says so."""
    until(lambda: asked.status() == "SUCCEEDED", "the execution did not go on")
    stored = asked.stored()
    assert (stored.status, stored.delivered, len(stored.votes)) == ("approved", True, 1)
    assert len(asked.history("TaskSucceeded")) == len(asked.history("TaskScheduled")) == 1
    events = Counter(row["event"] for row in asked.audited())
    assert (events["voted"], events["decided"]) == (1, 1)
    assert events["delivered"] >= 1
    assert datetime.fromisoformat(stored.decided_at) <= datetime.now(UTC)


def _status(flow: Flow, form: Any) -> int:
    return flow.http.post(form.action, data=form.fields).status_code
