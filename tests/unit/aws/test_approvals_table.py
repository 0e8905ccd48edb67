"""The conditional writes of releases and of requests for a decision, on moto's DynamoDB."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tenant_experience.aws import approvals, decisions, executions, release_table, request_index
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.release import decision
from tenant_experience.release.approval import Approval, Asked
from tenant_experience.release.release import LiveRelease, PublishedModel, next_live
from tenant_experience.release.vote import Vote
from tests.support.decision_tables import Answers, audited, decision_tables, empty
from tests.support.requests_for_decision import ADA, BEN, CAT, request


@pytest.fixture(scope="module")
def tables() -> Iterator[Answers]:
    with decision_tables() as answers:
        yield answers


@pytest.fixture(autouse=True)
def answers(tables: Answers) -> Iterator[Answers]:
    yield tables
    empty(tables)


def opened(asked: Approval, token: str = "token", now: int = 10) -> Approval:  # noqa: S107 - of a test
    return approvals.open_approval(asked, token, now=now)


def vote(approval_id: str = "r1", address: str = ADA, *, rejects: bool = False, now: int = 10) -> Approval:
    given = Vote(address, "", frozenset() if rejects else None, {"*": "no"} if rejects else {}, "because", "t")
    return approvals.change(approval_id, lambda stored: decision.cast(stored, given, now))


def test_a_request_is_read_back_as_written() -> None:
    written = opened(request(requested_by="x@example.com"))
    assert approvals.read_approval("r1") == (written, "token")
    assert request_index.open_requests("tenant_experience") == ["r1"]
    after = vote()
    assert approvals.read_approval("r1") == (after, "token")
    assert request_index.open_requests("tenant_experience") == []


def test_opening_again_keeps_the_links_and_the_votes_and_takes_the_new_token() -> None:
    approvals.mark_mailed(opened(request(quorum=2)), Asked(ADA), "t1")
    vote()
    again = opened(request(quorum=2, expires_at=5000, asked=(Asked(BEN),)), "token-2")
    assert (again.expires_at, [each.mailed for each in again.asked]) == (1000, ["t1", "", ""])
    assert [each.address for each in again.votes] == [ADA]
    assert approvals.read_approval("r1") == (again, "token-2")


@pytest.mark.parametrize("ends", ["late", "withdrawn", "superseded", "other_models"])
def test_a_request_that_came_to_nothing_is_asked_anew(ends: str) -> None:
    approvals.mark_mailed(opened(request(quorum=2)), Asked(ADA), "t1")
    vote()
    if ends in ("withdrawn", "superseded"):
        rule = {
            "withdrawn": lambda stored: decision.withdraw(stored, "op", "a typo", "t"),
            "superseded": lambda stored: decision.supersede(stored, "r2", "t"),
        }[ends]
        approvals.change("r1", rule)
    wanted = request(expires_at=5000, partitions={"east": "East"} if ends == "other_models" else request().partitions)
    again = opened(wanted, "token-2", now=1000 if ends == "late" else 10)
    assert again == replace(wanted, revision=again.revision)
    assert approvals.read_approval("r1") == (again, "token-2")


def test_a_decided_request_keeps_its_decision_when_the_execution_is_redriven(answers: Answers) -> None:
    opened(request())
    vote()
    assert decisions.deliver("r1").delivered
    assert opened(request(), "token-2").delivered is False
    assert decisions.deliver("r1").status == "approved"
    assert [each["decision"] for each in answers.taken.values()] == ["approved", "approved"]


def test_a_request_of_an_earlier_version_is_read_and_asked_anew() -> None:
    old: dict[str, Any] = {
        "id": {"S": "approval#r1"},
        "task_token": {"S": "old"},
        "execution_arn": {"S": "arn:execution:r1"},
        "status": {"S": "pending"},
        "expires_at": {"N": "1000"},
        "summary": {"S": json.dumps(request().summary.as_document())},
        "mailed": {"BOOL": True},
    }
    release_table.dynamodb().put_item(TableName="releases", Item=old)
    stored, _ = approvals.read_approval("r1")
    assert (stored.asked, stored.revision, stored.partitions) == ((), 0, {})
    again = opened(request(expires_at=5000), "token-2")
    assert (again.expires_at, again.revision, len(again.asked)) == (5000, 1, 3)
    decided = {
        "status": {"S": "approved"},
        "approver": {"S": "Tess"},
        "reason": {"S": "fine"},
        "decided_at": {"S": "t"},
    }
    release_table.dynamodb().put_item(TableName="releases", Item=old | decided)
    assert opened(request(), "token-3").verdict("east") == "approved by Tess: fine"


def test_who_reads_before_another_writes_is_asked_again_and_the_audit_has_one_row_of_each_vote() -> None:
    opened(request(quorum=2))
    voters = iter((ADA, BEN, CAT))

    def cast_after_the_next(address: str) -> Approval:
        """Reads; lets the next voter come in between; then writes."""
        given = Vote(address, "", None, {}, "because", "t")

        def rule(stored: Approval) -> Approval:
            if (later := next(voters, None)) is not None:
                cast_after_the_next(later)
            return decision.cast(stored, given, 10)

        return approvals.change("r1", rule, lambda changed: [decisions._row(changed, "voted", by=address)])

    with pytest.raises(UserError, match="already_decided"):
        cast_after_the_next(next(voters))
    stored, _ = approvals.read_approval("r1")
    assert (stored.status, {each.address for each in stored.votes}) == ("approved", {BEN, CAT})
    assert [row["by"] for row in audited()] == [CAT, BEN]


def test_a_vote_without_its_row_in_the_audit_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(request())
    row = decisions._row(request(), "voted")
    release_table.dynamodb().put_item(TableName="audit", Item=row["Item"])
    monkeypatch.setattr(approvals, "_ATTEMPTS", 1)
    given = Vote(ADA, "", None, {}, "because", "t")
    with pytest.raises(PlatformError, match="approval_busy"):
        approvals.change("r1", lambda stored: decision.cast(stored, given, 10), lambda _changed: [row])
    assert approvals.read_approval("r1")[0].votes == ()


def test_what_was_mailed_and_opened_is_noted_once_and_of_this_request_only() -> None:
    asked = opened(request())
    approvals.mark_mailed(asked, asked.asked[1], "t1")
    assert approvals.mark_opened(asked, asked.asked[1], "t2")
    assert not approvals.mark_opened(asked, asked.asked[1], "t3")
    assert not approvals.mark_opened(replace(asked, expires_at=5), asked.asked[0], "t3")
    stored, _ = approvals.read_approval("r1")
    assert stored.asked[1] == Asked(BEN, "t1", "t2")
    assert vote().status == "approved"


def test_a_decision_that_cannot_be_delivered_waits_and_one_that_nobody_waits_for_counts_for_nothing(
    answers: Answers,
) -> None:
    opened(request())
    vote()
    answers.unreachable = 1
    with pytest.raises(PlatformError, match="not_delivered"):
        decisions.deliver("r1")
    assert approvals.read_approval("r1")[0].status == "approved"
    answers.ended.add("token")
    assert decisions.deliver("r1").status == "withdrawn"
    again = opened(request(expires_at=5000), "token-2")
    assert (again.status, again.votes) == ("pending", ())
    assert answers.taken == {}


def test_a_decision_whose_answer_was_lost_is_found_again_when_the_execution_goes_on(answers: Answers) -> None:
    opened(request())
    decided = vote()
    answers.taken["token"] = decided.decision  # taken, and the function was stopped before it noted that
    assert decisions.deliver("r1").status == "withdrawn"
    found = decisions.receive("r1", "approved", "t")
    assert (found.status, found.delivered, found.approves("east")) == ("approved", True, True)


def test_a_newer_request_supersedes_the_older_ones_of_the_same_partitions_and_tells_them(answers: Answers) -> None:
    opened(request("r1"), "t1")
    opened(request("r2", partitions={"south": "South"}, started_at="2026-11-29T09:10:00Z"), "t2")
    newer = request("r3", started_at="2026-11-29T09:30:00Z", requested_at="2026-11-29T10:30:00Z")
    assert decisions.supersede_older(opened(newer, "t3"), "t").status == "pending"
    assert [approvals.read_approval(each)[0].status for each in ("r1", "r2")] == ["superseded", "pending"]
    assert {token: each["decision"] for token, each in answers.taken.items()} == {"t1": "superseded"}
    with pytest.raises(UserError, match="superseded"):
        vote("r1")
    late = opened(request("r0", started_at="2026-11-29T08:00:00Z"), "t0")
    ended = decisions.supersede_older(late, "t")
    assert (ended.status, ended.superseded_by) == ("superseded", "r3")
    assert [row["event"] for row in audited("r1")] == ["superseded", "delivered"]


def test_a_request_is_superseded_by_a_live_release_that_began_later() -> None:
    release_table.write_live(
        "tenant_experience", LiveRelease.of_models("r9", "2026-11-29T09:30:00Z", 1, {"east": "r9"}), "r9"
    )
    assert decisions.supersede_older(opened(request()), "t").superseded_by == "r9"


def test_a_withdrawn_request_is_told_and_takes_no_vote(answers: Answers) -> None:
    opened(request())
    assert decisions.withdraw("r1", "arn:user", "a typo", "t").delivered
    assert answers.taken["token"]["decision"] == "withdrawn"
    with pytest.raises(UserError, match="withdrawn"):
        vote()


def delivering(monkeypatch: pytest.MonkeyPatch, answers: Answers, meanwhile: Callable[[], object]) -> None:
    """Something happens once, after the execution has taken a decision and before that is written down."""
    todo = [meanwhile]

    def take(token: str, output: dict[str, Any]) -> None:
        answers.take(token, output)
        if todo:
            todo.pop()()

    monkeypatch.setattr(executions, "answer", take)


def test_of_two_who_deliver_at_once_one_does_and_the_other_says_to_look_again(
    monkeypatch: pytest.MonkeyPatch, answers: Answers
) -> None:
    """The second one, whose call would be refused, must not take the decision for lost."""
    opened(request())
    vote()

    def second() -> None:
        with pytest.raises(PlatformError, match="not_delivered"):
            decisions.deliver("r1")

    delivering(monkeypatch, answers, second)
    assert decisions.deliver("r1").delivered
    assert (approvals.read_approval("r1")[0].status, len(answers.taken)) == ("approved", 1)
    assert [row["event"] for row in audited()] == ["delivered"]


def test_who_waits_for_the_delivery_of_another_sees_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(request())
    decided = vote()
    assert approvals.claim_delivery(decided, int(time.time()))
    monkeypatch.setattr(decisions.time, "sleep", lambda _seconds: decisions.receive("r1", "approved", "t"))
    assert decisions.deliver("r1").delivered


def test_a_delivery_whose_function_died_is_taken_over_and_its_decision_stands(answers: Answers) -> None:
    """It died after the execution had taken the decision; RegisterModels says so, whatever was thought meanwhile."""
    opened(request())
    decided = vote()
    assert approvals.claim_delivery(decided, int(time.time()) - 61)
    answers.taken["token"] = decided.decision
    assert decisions.deliver("r1").status == "withdrawn"
    told = decisions.receive("r1", "approved", "t")
    assert (told.status, told.delivered, told.approves("east")) == ("approved", True, True)


def test_a_call_whose_answer_was_lost_is_no_lost_decision(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> None:
    """The execution goes on by it, and RegisterModels writes that soon after."""
    opened(request())
    answers.taken["token"] = vote().decision
    monkeypatch.setattr(decisions.time, "sleep", lambda _seconds: decisions.receive("r1", "approved", "t"))
    assert decisions.deliver("r1").status == "approved"
    assert audited() == []


def test_an_older_release_that_cannot_be_told_now_does_not_keep_the_newer_one_from_asking(answers: Answers) -> None:
    opened(request(), "token-1")
    newer = opened(request("r2", started_at="2026-11-29T09:30:00Z"), "token-2")
    answers.unreachable = 1
    assert decisions.supersede_older(newer, "t").status == "pending"
    told, _ = approvals.read_approval("r1")
    assert (told.status, told.superseded_by, told.delivered) == ("superseded", "r2", False)
    answers.unreachable = 1
    ended = decisions.withdraw("r2", "arn:user", "a typo", "t")
    assert (ended.status, ended.delivered) == ("withdrawn", False)
    for each in ("r1", "r2"):  # as FollowUpApprovals does
        assert decisions.deliver(each).delivered
    assert {token: each["decision"] for token, each in answers.taken.items()} == {
        "token-1": "superseded",
        "token-2": "withdrawn",
    }


def test_a_delivery_that_failed_can_be_tried_again_at_once(answers: Answers) -> None:
    opened(request())
    vote()
    answers.unreachable = 1
    with pytest.raises(PlatformError, match="not_delivered"):
        decisions.deliver("r1")
    assert decisions.deliver("r1").delivered


def test_a_token_of_before_a_redrive_says_nothing_about_the_decision(
    monkeypatch: pytest.MonkeyPatch, answers: Answers
) -> None:
    opened(request())
    vote()
    answers.ended.add("token")

    def answer(token: str, output: dict[str, Any]) -> None:
        if token == "token":  # noqa: S105 - of a test
            opened(request(), "token-2")
        answers.take(token, output)

    monkeypatch.setattr(executions, "answer", answer)
    assert decisions.deliver("r1").status == "approved"
    assert decisions.deliver("r1").delivered
    assert answers.taken["token-2"]["decision"] == "approved"


def test_the_rules_approve_once_with_their_reason_in_the_audit(answers: Answers) -> None:
    asked = request(quorum=2)
    rules = replace(asked.rules, mode="automatic")
    summary = replace(asked.summary, automatic="approved automatically: it is fine")
    waiting = opened(replace(asked, rules=rules, summary=summary, digests={"east": "d"}))
    assert [decisions.approve_by_rules(waiting, at).decided_at for at in ("t", "t2")] == ["t", "t"]
    assert decisions.deliver("r1").votes[0].by == "the rules of the use case"
    assert answers.taken["token"]["approver"] == "the rules of the use case"
    with pytest.raises(UserError, match="already_decided"):
        vote()
    (decided,) = [row for row in audited() if row["event"] == "decided"]
    assert (decided["by"], decided["because"]) == ("the rules of the use case", summary.automatic)
    assert decided["models"] == {"east": {"version": "r1", "digest": "d"}}


def test_an_unknown_approval_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="unknown_approval"):
        approvals.read_approval("r9")


def test_the_pointer_is_read_back_as_written() -> None:
    live = LiveRelease.of_models("r2", "2026-01-01T00:00:00Z", 1, {"all": "r2", "north": "r1"}, "r1", {"all": "d"})
    assert release_table.read_live("tenant_experience") is None
    release_table.write_live("tenant_experience", live, "r2")
    assert release_table.read_live("tenant_experience") == live


def test_a_pointer_of_an_earlier_version_is_read() -> None:
    texts = {"release": "r1", "started_at": "t", "models": '{"all": "r1"}'}
    item = {**release_table.key_of("live", "tenant_experience"), "revision": {"N": "3"}}
    for digests in ({}, {"all": "d"}):
        more = {"digests": json.dumps(digests)} if digests else {}
        item |= {name: {"S": text} for name, text in {**texts, **more}.items()}
        release_table.dynamodb().put_item(TableName="releases", Item=item)
        expected = LiveRelease.of_models("r1", "t", 3, {"all": "r1"}, None, digests)
        assert release_table.read_live("tenant_experience") == expected


def test_of_two_writers_of_the_pointer_the_second_is_told() -> None:
    live = LiveRelease.of_models("r1", "t", 1, {"all": "r1"})
    assert release_table.write_live("tenant_experience", live, "r1")
    assert not release_table.write_live("tenant_experience", replace(live, release="r2"), "r2")
    assert release_table.read_live("tenant_experience") == live


def test_a_move_begins_again_when_another_was_first() -> None:
    """Two releases of other partitions: both are live in the end, whatever the order of their writes."""
    publish = partial(next_live, started_at="2026-01-01T00:00:00Z")

    def meanwhile(current: LiveRelease | None) -> LiveRelease | None:
        if current is None:
            move = partial(publish, release="r2", models=[PublishedModel("north", "r2")])
            release_table.move_live("tenant_experience", "r2", move)
        return publish(current, release="r1", models=[PublishedModel("all", "r1")])

    live = release_table.move_live("tenant_experience", "r1", meanwhile)
    assert live == release_table.read_live("tenant_experience")
    assert (live.models, live.revision) == ({"all": "r1", "north": "r2"}, 2)


def test_a_pointer_that_never_rests_is_an_error_of_the_platform() -> None:
    def restless(current: LiveRelease | None) -> LiveRelease:
        revision = current.revision if current else 0
        moved = LiveRelease.of_models("r2", "t", revision + 1, {"all": "r2"})
        release_table.write_live("tenant_experience", moved, "r2")
        return replace(moved, release="r1")

    with pytest.raises(PlatformError, match="pointer_moved"):
        release_table.move_live("tenant_experience", "r1", restless)
