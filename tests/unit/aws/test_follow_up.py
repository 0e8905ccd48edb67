"""Reminders, links that were not sent, expiry and delivery, on moto: each once, whatever fails and however often."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tenant_experience.aws import approvals, follow_up, request_index
from tenant_experience.release import decision
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.vote import Vote
from tenant_experience.use_case.approval_rules import ApprovalRules
from tests.support.approver_topic import Topic, approver_topic
from tests.support.decision_tables import Answers, audited, decision_tables, empty
from tests.support.function_module import function_module
from tests.support.requests_for_decision import ADA, BEN, CAT, request

DAY = 86400
ASKED_AT = int(datetime.fromisoformat("2026-11-29T10:00:00Z").timestamp())
ENDS = ASKED_AT + 7 * DAY
REMINDER = "Reminder: decision needed: release r1 of tenant_experience"
SENT = "2026-11-29T10:00:01Z"
MAILED = tuple(Asked(address, SENT) for address in (ADA, BEN, CAT))


@pytest.fixture(scope="module")
def tables() -> Iterator[tuple[Answers, Topic]]:
    with decision_tables() as answers, approver_topic() as topic:
        yield answers, topic


@pytest.fixture
def answers(tables: tuple[Answers, Topic]) -> Iterator[Answers]:
    yield tables[0]
    empty(tables[0])


@pytest.fixture
def topic(tables: tuple[Answers, Topic]) -> Topic:
    tables[1].clear()
    return tables[1]


@pytest.fixture(autouse=True)
def _clean(answers: Answers, topic: Topic) -> None:
    """Every test begins with nothing."""


def opened(**changes: Any) -> Approval:
    wanted: dict[str, Any] = {"expires_at": ENDS, "asked": MAILED} | changes
    return approvals.open_approval(request(**wanted), "token", now=ASKED_AT)


def vote(address: str = ADA, at: int = ASKED_AT) -> Approval:
    given = Vote(address, "", None, {}, "because", datetime.fromtimestamp(at).astimezone().isoformat())
    return approvals.change("r1", lambda stored: decision.cast(stored, given, at))


def follow(now: int) -> dict[str, int]:
    done, _ = follow_up.follow_up(["tenant_experience", "another"], now)
    return {name: value for name, value in vars(done).items() if value}


def events() -> list[str]:
    return [row["event"] for row in audited()]


def test_each_who_has_not_answered_is_reminded_at_half_time_and_a_day_before_the_end(topic: Topic) -> None:
    opened(rules=ApprovalRules(quorum=2))
    vote(BEN)
    half, last = ASKED_AT + 3 * DAY + DAY // 2, ENDS - DAY
    assert follow(half - 1) == {}
    assert follow(half) == {"reminded": 2}
    assert topic.sent == [(ADA, REMINDER), (CAT, REMINDER)]
    assert follow(half + 900) == follow(last - 1) == {}
    assert follow(last) == {"reminded": 2}
    assert follow(ENDS - 1) == {}
    assert [text.split(",")[0] for text in topic.texts] == ["You were asked some time ago"] * 2 + [
        "This is the last day"
    ] * 2
    assert "https://api.example.com/v1/approvals/r1?to=" in topic.texts[0]
    assert [row["address"] for row in audited() if row["event"] == "reminded"] == [ADA, CAT] * 2


@pytest.mark.parametrize(
    ("changes", "at", "reminded"),
    [
        ({"rules": ApprovalRules(remind=False)}, ENDS - DAY, {}),
        ({"expires_at": ASKED_AT + DAY}, ASKED_AT + DAY // 2, {"reminded": 3}),
        ({"expires_at": ASKED_AT + DAY}, ASKED_AT + DAY // 2 - 1, {}),
        ({}, ENDS - 1, {"reminded": 3}),  # nobody was there at half time: one reminder, not two
    ],
)
def test_when_reminders_are_due(changes: dict[str, Any], at: int, reminded: dict[str, int]) -> None:
    opened(**changes)
    assert follow(at) == reminded
    assert follow(at) == {}


def test_a_reminder_that_cannot_be_sent_is_sent_the_next_time_and_to_the_others_now(topic: Topic) -> None:
    opened()
    topic.refused.add(BEN)
    assert follow(ENDS - 2 * DAY) == {"reminded": 2, "failed": 1}
    assert follow(ENDS - 2 * DAY) == {"failed": 1}
    topic.refused.clear()
    assert follow(ENDS - 2 * DAY) == {"reminded": 1}
    assert sorted(address for address, _ in topic.sent) == [ADA, BEN, CAT]


def test_a_reminder_whose_row_cannot_be_written_is_not_sent_again(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened()
    with monkeypatch.context() as broken:
        broken.setenv("AUDIT_TABLE", "gone")
        assert follow(ENDS - DAY) == {"reminded": 3, "failed": 3}
    assert follow(ENDS - DAY) == {}
    assert len(topic.sent) == 3


def test_a_request_that_was_asked_anew_is_reminded_anew() -> None:
    opened()
    assert follow(ENDS - DAY) == {"reminded": 3}
    approvals.open_approval(request(expires_at=ENDS + 7 * DAY, asked=MAILED), "token-2", now=ENDS)
    assert follow(ENDS + 6 * DAY) == {"reminded": 3}


def test_links_that_could_not_be_sent_are_sent_later_and_once(topic: Topic) -> None:
    opened(asked=(Asked(ADA, SENT), Asked(BEN), Asked(CAT)))
    assert follow(ASKED_AT + 599) == {}  # the function that asks may still be at it
    topic.refused.add(CAT)
    assert follow(ASKED_AT + 600) == {"asked": 1, "failed": 1}
    topic.refused.clear()
    assert follow(ASKED_AT + 1500) == {"asked": 1}
    assert follow(ASKED_AT + 2400) == {}
    assert [address for address, _ in topic.sent] == [BEN, CAT]
    assert all(each.mailed for each in approvals.read_approval("r1")[0].asked)
    assert events() == ["asked", "asked"]


def test_a_release_waits_as_soon_as_one_link_is_sent_and_fails_if_none_is(topic: Topic) -> None:
    app = function_module("request_approval")
    asked = opened(asked=(Asked(ADA), Asked(BEN)))
    topic.refused.add(BEN)
    assert app._ask_those(asked, list(asked.asked)) == 1
    assert topic.sent == [(ADA, "Decision needed: release r1 of tenant_experience")]
    topic.refused.add(ADA)
    with pytest.raises(ClientError):
        app._ask_those(asked, list(asked.asked))


def test_a_request_expires_once_and_the_execution_is_told(answers: Answers) -> None:
    opened()
    assert follow(ENDS - 1) == {"reminded": 3}
    assert follow(ENDS) == {"expired": 1, "delivered": 1}
    assert follow(ENDS + 900) == {}
    assert approvals.read_approval("r1")[0].status == "expired"
    assert answers.taken["token"]["decision"] == "expired"
    assert [event for event in events() if event != "reminded"] == ["expired", "delivered"]


def test_an_execution_that_ended_by_its_own_time_out_needs_no_telling(answers: Answers) -> None:
    opened()
    answers.ended.add("token")
    assert follow(ENDS) == {"expired": 1, "delivered": 1}
    assert follow(ENDS + 900) == {}
    assert approvals.read_approval("r1")[0].status == "expired"
    assert events() == ["expired"]


def test_a_decision_is_delivered_until_it_is_taken(answers: Answers) -> None:
    opened()
    vote(at=ASKED_AT + 100)
    assert follow(ASKED_AT + 110) == {}  # the function that took the vote delivers it first
    answers.unreachable = 2
    assert follow(ASKED_AT + 700) == {"failed": 1}
    assert follow(ASKED_AT + 1600) == {"failed": 1}
    assert follow(ASKED_AT + 2500) == {"delivered": 1}
    assert follow(ASKED_AT + 3400) == {}
    assert answers.taken["token"]["decision"] == "approved"


def test_one_request_that_fails_leaves_the_others_alone(answers: Answers, topic: Topic) -> None:
    opened(approval_id="r2")
    opened()
    topic.refused.update((ADA, BEN, CAT))
    answers.unreachable = 1
    assert follow(ENDS) == {"expired": 2, "delivered": 1, "failed": 1}
    assert follow(ENDS + 900) == {"delivered": 1}


def test_one_follow_up_at_a_time_does_something() -> None:
    with request_index.lease(1000, 330) as first:
        assert first
        with request_index.lease(1001, 330) as second:
            assert not second
        with request_index.lease(1329, 330) as still:
            assert not still
    with request_index.lease(1002, 330) as after:
        assert after


def test_a_lease_ends_with_the_time_of_a_caller_that_died() -> None:
    died = request_index.lease(1000, 330)
    died.__enter__()
    with request_index.lease(1331, 330) as next_one:
        assert next_one
        died.__exit__(None, None, None)  # too late: it holds the lease no more
        with request_index.lease(1332, 330) as third:
            assert not third
