"""The conditional writes of releases and approvals, on moto's DynamoDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import approvals, release_table
from tenant_experience.errors import PlatformError, UserError
from tenant_experience.release.approval import Approval, ApprovalSummary
from tenant_experience.release.release import LiveRelease, PublishedModel, next_live

SUMMARY = ApprovalSummary("r1", "tenant_experience", "2026-11-01T00:00:00Z", None, (), 0, 0, (), ())
REQUEST = Approval("r1", "arn:execution:r1", 1000, "pending", SUMMARY)


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RELEASE_TABLE", "releases")
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="releases",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        release_table.dynamodb.cache_clear()
        yield
        release_table.dynamodb.cache_clear()


def decide(request: Approval, decision: str = "approved", now: int = 10) -> Approval:
    assert decision in ("approved", "rejected")
    return approvals.decide(
        request,
        "approved" if decision == "approved" else "rejected",
        approver="Ada",
        reason="because",
        decided_at="t",
        now=now,
    )


def test_opening_again_keeps_the_expiry_and_takes_the_new_token() -> None:
    approvals.open_approval(REQUEST, "token-1", now=10)
    again = approvals.open_approval(replace(REQUEST, expires_at=5000), "token-2", now=10)
    assert again.expires_at == 1000
    assert approvals.read_approval("r1") == (again, "token-2")


def test_a_decision_is_taken_once() -> None:
    request = approvals.open_approval(REQUEST, "token", now=10)
    assert decide(request).status == "approved"
    with pytest.raises(UserError, match="already_decided"):
        decide(request, "rejected")
    assert approvals.read_approval("r1")[0].status == "approved"


def test_no_decision_after_the_expiry_nor_for_another_execution() -> None:
    request = approvals.open_approval(REQUEST, "token", now=10)
    with pytest.raises(UserError, match="already_decided"):
        decide(request, now=1000)
    with pytest.raises(UserError, match="already_decided"):
        decide(replace(request, execution_arn="arn:execution:other"))


def test_a_decided_approval_keeps_its_decision_when_the_execution_is_redriven() -> None:
    decide(approvals.open_approval(REQUEST, "token", now=10))
    approvals.mark_delivered("r1")
    again = approvals.open_approval(REQUEST, "token-2", now=10)
    assert (again.status, again.delivered) == ("approved", False)
    assert approvals.read_approval("r1")[1] == "token-2"


def test_one_email_is_noted_and_an_expired_request_is_asked_anew() -> None:
    assert not approvals.open_approval(REQUEST, "token", now=10).mailed
    approvals.mark_mailed("r1")
    assert approvals.open_approval(REQUEST, "token-2", now=20).mailed
    late = approvals.open_approval(replace(REQUEST, expires_at=5000), "token-3", now=1000)
    assert (late.mailed, late.expires_at) == (False, 5000)
    assert approvals.read_approval("r1") == (late, "token-3")


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
        boto3.client("dynamodb").put_item(TableName="releases", Item=item)
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
