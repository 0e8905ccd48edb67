"""Stages are told where the stack asks for it, and a notice that cannot be sent stops nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import ANY, Stubber

from tenant_experience.aws import link_signature, notifications, stage_notices
from tenant_experience.release import stage_email
from tenant_experience.release.approval import Approval, ApprovalSummary, Asked

BATCH = "raw/homes/evil.example/"
SUMMARY = ApprovalSummary("r1", "homes", "2026-11-01T00:00:00Z", None, ("odd",), 3, 1, (), (), BATCH)
REQUEST = Approval("r1", "arn", 1796551320, "pending", SUMMARY, asked=(Asked("ada@example.com"),))


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    settings = {"TOPIC": "arn:aws:sns:eu-west-1:123456789012:releases", "LINK_KEY": "k", "API_URL": "https://a/v1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with Stubber(link_signature.kms()) as key, Stubber(notifications.sns()) as stub:
        key.add_response("generate_mac", {"Mac": b"m" * 32})
        yield stub
        stub.assert_no_pending_responses()


def started(run_page: str) -> tuple[str, str]:
    return stage_email.started("r1", "raw/homes/november/", run_page)


@pytest.mark.parametrize("setting", ["false", ""])
def test_nothing_is_told_unless_the_stack_asks_for_it(
    topic: Stubber, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    assert topic is not None
    monkeypatch.setenv("STAGE_NOTICES", setting)
    stage_notices.tell("r1", started)


def test_a_stage_is_told_with_the_page_of_the_run(topic: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE_NOTICES", "true")
    subject, text = started(f"https://a/v1/runs/r1?signature={'bW1t' * 10}bW0")
    assert subject == "Started: r1 (batch november)"
    topic.add_response("publish", {"MessageId": "m"}, {"TopicArn": ANY, "Subject": subject, "Message": text})
    stage_notices.tell("r1", started)


def test_a_notice_that_cannot_be_sent_stops_nothing(topic: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE_NOTICES", "true")
    topic.add_client_error("publish", "Throttled")
    stage_notices.tell("r1", started)


def test_a_release_that_waits_says_until_when_and_names_no_address() -> None:
    subject, text = stage_email.waiting(REQUEST, "https://a/v1/runs/r1?signature=s")
    assert subject == "Trained, waits for a decision: r1 (batch evil[.]example)"
    for line in ("models ready    3", "models refused  1", "1 about the data", "1 approver; 1 must approve"):
        assert line in text
    assert "6 December 2026, 10:02 UTC" in text
    assert "ada@" not in text
    assert "/approvals/" not in text
