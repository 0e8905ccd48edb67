from __future__ import annotations

import json

import pytest

from tenant_experience.errors import UserError
from tenant_experience.use_case.approval_rules import (
    LONGEST_SECONDS,
    ApprovalRules,
    parse_approval_rules,
    read_approval_rules,
)
from tenant_experience.use_case.manifest import parse_manifest, requested_by_of
from tests.support.places import ROOT


@pytest.mark.parametrize(
    ("written", "rules"),
    [
        ("name: x", ApprovalRules()),
        ("approval: manual", ApprovalRules()),
        ("approval: {mode: manual}", ApprovalRules()),
        ("approval: automatic", ApprovalRules(mode="automatic")),
        (
            "approval: {quorum: 2, maker: may_not_decide, expires_after: 12h, remind: false}",
            ApprovalRules(quorum=2, maker="may_not_decide", expires_after="12h", remind=False),
        ),
    ],
)
def test_the_rules_of_a_use_case_are_read(written: str, rules: ApprovalRules) -> None:
    assert read_approval_rules(written.encode()) == rules
    assert parse_approval_rules(rules.document()) == rules


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("approval: never", "mode must be one of"),
        ("approval: {quorum: 0}", "quorum must be a whole number from 1 to 20 (it is 0)"),
        ("approval: {quorum: true}", "quorum"),
        ("approval: {quorum: 1.5}", "quorum"),
        ("approval: {maker: nobody}", "maker must be one of may_decide, may_not_decide"),
        ("approval: {expires_after: 7}", "expires_after must be a time like 7d"),
        ("approval: {expires_after: 0d}", "expires_after"),
        ("approval: {expires_after: 31d}", "expires_after must be at most 30d"),
        ("approval: {expires_after: 721h}", "expires_after must be at most 30d"),
        ("approval: {confirm: nothing}", "confirm must be one of code, typed"),
        ("approval: {remind: 1.5}", "remind must be true or false"),
        ("approval: {quorom: 2}", "unknown key 'quorom'"),
        ("approval: [manual]", "it must have keys"),
    ],
)
def test_a_rule_that_is_not_possible_is_refused_by_its_key(written: str, words: str) -> None:
    with pytest.raises(UserError) as refusal:
        read_approval_rules(written.encode())
    assert "key 'approval'" in refusal.value.message
    assert words in refusal.value.message


def test_a_request_waits_as_long_as_the_use_case_says_or_else_the_stack_and_the_state_waits_longer() -> None:
    waits = {after: ApprovalRules(expires_after=after).expires_in(86_400) for after in (None, "30m", "2h", "30d")}
    assert waits == {None: 86_400, "30m": 1_800, "2h": 7_200, "30d": LONGEST_SECONDS}
    machine = json.loads((ROOT / "statemachine" / "train_and_release.asl.json").read_text())
    # FollowUpApprovals, which comes once a day at the least often, ends a request before the state's own time-out does.
    assert machine["States"]["RequestApproval"]["TimeoutSeconds"] >= LONGEST_SECONDS + 86_400


def test_the_maker_is_the_address_of_the_manifest() -> None:
    assert parse_manifest({"requested_by": "ada@example.com"}).requested_by == "ada@example.com"
    assert requested_by_of(b'\xef\xbb\xbf{"requested_by": "ada@example.com"}') == "ada@example.com"
    for other in (b"", b"[]", b"\xff", b'{"requested_by": "no address"}', b'{"requested_by": 7}', b"{}"):
        assert requested_by_of(other) == ""
    with pytest.raises(UserError, match="invalid_manifest"):
        parse_manifest({"requested_by": "ada"})
