"""Votes and what they add up to, and every other way in which a request ends."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from tenant_experience.errors import UserError
from tenant_experience.release import decision
from tenant_experience.release.approval import MAX_PARTITIONS, Approval, partitions_to_decide
from tenant_experience.release.partition_result import ShardResult
from tenant_experience.release.vote import Outcome, Vote, outcome_of, read_vote
from tenant_experience.use_case.approval_rules import ApprovalRules
from tests.support.requests_for_decision import ADA, BEN, CAT, SLUGS, request

NOW = 10


def form(**fields: Any) -> dict[str, list[str]]:
    given = {"decision": "approve", "reason": "looks right", "partition": list(SLUGS), **fields}
    return {name: value if isinstance(value, list) else [value] for name, value in given.items()}


def vote(address: str = ADA, *, at: str = "2026-11-29T11:00:00Z", **fields: Any) -> Vote:
    return read_vote(form(**fields), address=address, partitions=SLUGS, decided_at=at)


def cast(asked: Approval, *votes: Vote) -> Approval:
    for each in votes:
        asked = decision.cast(asked, each, NOW)
    return asked


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"decision": ""}, "bad_decision"),
        ({"decision": "maybe"}, "bad_decision"),
        ({"reason": " x "}, "missing_reason"),
        ({"reason": "\u202e\u200b\x00 "}, "missing_reason"),
        ({"approver": "A" * 121}, "name_too_long"),
        ({"reason": "b" * 801}, "reason_too_long"),
        ({"partition": []}, "no_partition"),
        ({"partition": ["east", "south"]}, "unknown_partition"),
        ({"partition": ["east"]}, "missing_reject_reason"),
        ({"partition": ["east"], "reject_reason": "c" * 801}, "reject_reason_too_long"),
    ],
)
def test_a_form_that_is_not_whole_is_refused_by_field(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(UserError) as refusal:
        vote(**fields)
    assert refusal.value.code == code


def test_a_vote_names_who_it_is_from_by_the_address_and_is_one_line_of_text() -> None:
    given = vote(decision="reject", approver=" Ada\tL. ", reason="not\r\nconvinced\u202e")
    assert (given.by, given.reason, given.address) == ("Ada@example.com (Ada L.)", "not convinced", ADA)
    assert vote().by == ADA


@pytest.mark.parametrize(
    "typed",
    ["Ada); ben@example.com (Ben", "Ada\uff09\uff1b ben\uff20example.com \uff08Ben", "Ada) ;ben@example.com(Ben"],
)
def test_a_name_cannot_look_like_another_approver(typed: str) -> None:
    assert vote(approver=typed).by == "Ada@example.com (Ada ben example.com Ben)"


def test_partitions_are_decided_one_by_one() -> None:
    given = vote(partition=["east", "west"], reject_reason="too few answers", approver="Ada")
    ended = cast(request(), given)
    assert (ended.status, ended.decided_at) == ("approved", "2026-11-29T11:00:00Z")
    assert [ended.approves(slug) for slug in SLUGS] == [True, False, True]
    assert ended.verdict("north") == "rejected by Ada@example.com (Ada): too few answers"
    assert ended.verdict("east") == "approved by Ada@example.com (Ada): looks right"


@pytest.mark.parametrize("order", list(permutations((ADA, BEN, CAT), 2)))
def test_a_quorum_of_two_needs_two_and_the_execution_is_told_both(order: tuple[str, str]) -> None:
    first = cast(request(quorum=2), vote(order[0]))
    assert (first.status, first.outcome) == ("pending", None)
    ended = cast(first, vote(order[1], reason="me too"))
    assert ended.status == "approved"
    assert ended.decision["approver"] == f"{order[0]}; {order[1]}"
    assert ended.decision["reason"] == "looks right / me too"


def test_one_rejects_although_the_quorum_is_two() -> None:
    ended = cast(request(quorum=2), vote(decision="reject", reason="no" * 2))
    assert (ended.status, ended.outcome) == ("rejected", Outcome(frozenset(), dict.fromkeys(SLUGS, "nono")))
    mixed = cast(request(quorum=2), vote(partition=["east"], reject_reason="why not"), vote(BEN))
    assert [mixed.approves(slug) for slug in SLUGS] == [True, False, False]
    assert mixed.verdict("west") == f"rejected by {ADA}: why not"


def test_a_second_answer_counts_for_nothing_and_the_same_one_again_changes_nothing() -> None:
    first = cast(request(quorum=2), vote())
    assert decision.cast(first, vote(at="later"), NOW) is first
    with pytest.raises(UserError, match="already_voted"):
        cast(first, vote(decision="reject"))
    ended = cast(first, vote(BEN))
    assert decision.cast(ended, vote(BEN, at="later"), 5000) is ended
    with pytest.raises(UserError, match="already_decided"):
        cast(ended, vote(CAT))


def test_the_maker_may_not_decide_where_the_rules_say_so() -> None:
    rules = ApprovalRules(maker="may_not_decide")
    asked = request(rules=rules, requested_by=ADA.upper())
    with pytest.raises(UserError, match="maker_may_not_decide"):
        cast(asked, vote())
    assert cast(asked, vote(BEN)).status == "approved"
    assert cast(replace(asked, rules=ApprovalRules()), vote()).status == "approved"


@pytest.mark.parametrize("status", ["expired", "superseded", "withdrawn"])
def test_a_request_that_ended_takes_no_vote_and_says_why(status: Any) -> None:
    with pytest.raises(UserError) as refusal:
        cast(request(status=status), vote())
    assert refusal.value.code == status
    with pytest.raises(UserError, match="expired"):
        decision.cast(request(), vote(), 1000)


def test_a_newer_release_ends_a_pending_request_only() -> None:
    ended = decision.supersede(request(), "r2", "t")
    assert (ended.status, ended.superseded_by, ended.decision["decision"]) == ("superseded", "r2", "superseded")
    assert not ended.approves("east")
    approved = cast(request(), vote())
    assert decision.supersede(approved, "r2", "t") is approved
    assert decision.withdraw(request(), "op", "a typo", "t").decision["reason"] == "a typo"
    with pytest.raises(UserError, match="already_decided"):
        decision.withdraw(approved, "op", "a typo", "t")


def test_a_decision_that_reached_nobody_counts_for_nothing_unless_the_execution_has_it() -> None:
    approved = cast(request(), vote())
    lost = decision.lost(approved)
    assert (lost.status, lost.decision["decision"]) == ("withdrawn", "withdrawn")
    found = decision.received(lost, "approved", approved.decided_at)
    assert found == replace(approved, delivered=True)
    assert decision.received(lost, "approved", "another time") is lost
    assert decision.lost(found) is found


def test_requests_overlap_by_use_case_and_partition() -> None:
    north = request("r2", partitions={"north": "North"}, started_at="2026-11-29T09:30:00Z")
    assert request().overlaps(north)
    assert not north.overlaps(request(partitions={"east": "East"}))
    assert north.overlaps(request(partitions={}))  # decided as a whole
    assert request().began_before(north)
    assert not north.began_before(request())


def test_a_release_of_very_many_models_is_decided_as_a_whole() -> None:
    rows = [{"partition": f"p{n}", "slug": f"p{n}", "status": "ready"} for n in range(MAX_PARTITIONS + 1)]
    assert partitions_to_decide([ShardResult.read({"partitions": rows}, 0)]) == {}
    whole = request(partitions={})
    for given, approves in (("approve", True), ("reject", False)):
        each = read_vote(form(decision=given, partition=[]), address=ADA, partitions=(), decided_at="t")
        ended = cast(whole, each)
        assert [ended.status, ended.approves("p7")] == ["approved" if approves else "rejected", approves]
        assert "looks right" in ended.verdict("p7")


def test_votes_and_outcomes_are_read_back_and_stay_small() -> None:
    slugs = [f"{n:03}-{'s' * 56}" for n in range(MAX_PARTITIONS)]
    given = read_vote(form(partition=slugs[1:], reject_reason="r" * 800), address=ADA, partitions=slugs, decided_at="t")
    outcome = outcome_of(slugs, [given], 1)
    assert outcome is not None
    stored = json.dumps([given.document(), outcome.document()])
    assert len(stored) < 70_000
    vote_again, outcome_again = json.loads(stored)
    assert (Vote.read(vote_again), Outcome.read(outcome_again)) == (given, outcome)


def test_a_request_of_an_earlier_version_is_decided_as_it_was() -> None:
    old = request(status="approved", approver="Tess", reason="fine", asked=(), votes=(), partitions={})
    assert old.approves("anything")
    assert old.verdict("anything") == "approved by Tess: fine"
    assert old.decision["approver"] == "Tess"
