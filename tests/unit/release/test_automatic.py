"""Releases that the rules of a use case approve without a person, and every reason why they do not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tenant_experience.release import approval_email, automatic, decision
from tenant_experience.release.approval import Approval, ApprovalSummary, Asked
from tenant_experience.release.brief import MINOR, Brief, BriefWarning, PartitionBrief
from tenant_experience.release.partition_result import ShardResult
from tenant_experience.release.release import LiveRelease
from tenant_experience.release.vote import Vote
from tenant_experience.use_case.approval_rules import ApprovalRules
from tests.support.requests_for_decision import ADA, BEN, ROWS, SHARDS, SLUGS, request

MODELS = tuple(
    PartitionBrief(slug.title(), slug, 0, "equal", "As good.", gates=4, compared_with=f"r0-{slug}") for slug in SLUGS
)
LIVE = LiveRelease.of_models("r0", "2026-11-01T00:00:00Z", 1, {slug: f"r0-{slug}" for slug in SLUGS})
REFUSED = {"partition": "South", "slug": "south", "status": "refused", "code": "too_few"}
WITH_REFUSED = [ShardResult.read({"partitions": [*ROWS, REFUSED]}, 0)]


def east(**changes: Any) -> Brief:
    """The brief with another model of the first partition."""
    return Brief((replace(MODELS[0], **changes), *MODELS[1:]))


def test_a_release_that_nothing_speaks_against_needs_nobody_and_says_why() -> None:
    assert automatic.hindrances(SHARDS, Brief(MODELS), LIVE) == ()
    assert automatic.hindrances(SHARDS, east(verdict="better"), LIVE) == ()
    assert automatic.reason(Brief(MODELS)) == (
        "approved automatically: 12 gates on 3 models and every gate on the data passed, and no warning stands"
    )


@pytest.mark.parametrize(
    ("shards", "brief", "live", "words"),
    [
        (SHARDS, Brief(MODELS), None, "the first release of its use case"),
        (SHARDS, Brief(MODELS, (BriefWarning("data", "Odd."),)), LIVE, "A warning stands."),
        (SHARDS, east(warnings=(BriefWarning("model", "Few rows.", MINOR),)), LIVE, "A warning stands."),
        (
            SHARDS,
            east(warnings=(BriefWarning("change", "A."), BriefWarning("groups", "B."))),
            LIVE,
            "2 warnings stand.",
        ),
        (WITH_REFUSED, Brief(MODELS), LIVE, "No model could be made for South."),
        ([*SHARDS, ShardResult.read({}, 1)], Brief(MODELS), LIVE, "1 of 2 shards were refused as a whole."),
        (SHARDS, Brief(MODELS[1:]), LIVE, "It is not known how the model of East compares"),
        (SHARDS, east(gates=0), LIVE, "No gate was measured on the model of East."),
        (SHARDS, Brief(MODELS), replace(LIVE, partitions={}), "Nothing is live for East"),
        (SHARDS, east(compared_with="r00"), LIVE, "What is live for East is not what its model was compared with."),
        (SHARDS, east(compared_with=""), LIVE, "What is live for East is not what its model was compared with."),
        *(
            (SHARDS, east(verdict=verdict), LIVE, f"{words}: the model of East.")
            for verdict, words in (
                ("worse", "Worse than what is live"),
                ("not_comparable", "Cannot be compared with what is live"),
                ("first", "Nothing is live to compare with"),
                ("unknown", "The report says how it compares with what is live"),
            )
        ),
    ],
)
def test_each_thing_that_speaks_against_a_release_asks_people(
    shards: list[ShardResult], brief: Brief, live: LiveRelease | None, words: str
) -> None:
    assert words in automatic.hindrances(shards, brief, live)[0]


def test_of_many_reasons_a_few_are_told() -> None:
    many = [{"partition": f"P{number}", "slug": f"p{number}", "status": "ready"} for number in range(300)]
    told = automatic.hindrances([ShardResult.read({"partitions": many}, 0)], Brief(), LIVE)
    assert (len(told), told[-1]) == (11, "290 more things of this kind.")


def by_rules(asked: Approval | None = None, **summary: Any) -> Approval:
    asked = asked or request(quorum=2)
    rules = replace(asked.rules, mode="automatic")
    told = replace(asked.summary, **{"automatic": "approved automatically: it is fine", **summary})
    return replace(asked, rules=rules, summary=told)


def test_the_decision_of_the_rules_is_one_vote_whatever_the_quorum() -> None:
    ended = decision.approve_by_rules(by_rules(), "t")
    assert (ended.status, ended.decided_at) == ("approved", "t")
    assert all(ended.approves(slug) for slug in SLUGS)
    told = "approved by the rules of the use case: approved automatically: it is fine"
    assert ended.verdict("east") == told
    assert ended.decision == {
        "decision": "approved",
        "approver": "the rules of the use case",
        "reason": "approved automatically: it is fine",
        "decided_at": "t",
    }
    assert decision.received(ended, "approved", "t").verdict("east") == told
    assert decision.approve_by_rules(ended, "t2") is ended


@pytest.mark.parametrize(
    "asked",
    [
        replace(by_rules(), rules=ApprovalRules()),
        by_rules(automatic=""),
        by_rules(not_automatic=("A warning stands.",)),
        by_rules(request(asked=(Asked(ADA, "t0"), Asked(BEN)))),
        by_rules(request(votes=(Vote(BEN, "", None, {}, "fine", "t0"),))),
        by_rules(request(status="superseded")),
        by_rules(request(kind="take_back")),
        by_rules(request(status="withdrawn")),
    ],
)
def test_the_rules_leave_to_people_what_people_were_asked_or_what_has_ended(asked: Approval) -> None:
    assert decision.approve_by_rules(asked, "t") is asked


def test_people_are_told_why_they_are_asked() -> None:
    asked = by_rules(automatic="", not_automatic=("2 warnings stand.",))
    assert ApprovalSummary.read(json.loads(json.dumps(asked.summary.as_document()))) == asked.summary
    text = approval_email.write(asked, "https://example/approvals/r1")[1]
    assert "The rules of the use case leave this release to you:\n  - 2 warnings stand." in text
    assert "leave this release to you" not in approval_email.write(request(), "https://example/approvals/r1")[1]
