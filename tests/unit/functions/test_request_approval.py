"""RequestApproval on moto: when the rules of a use case approve a release, and when people are asked and read why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import boto3
import pytest

from tenant_experience.aws import approvals, approvers, release_table
from tenant_experience.errors import PlatformError
from tenant_experience.release.approver import Approver
from tenant_experience.release.brief import PartitionBrief
from tenant_experience.release.release import LiveRelease
from tests.support.decision_tables import Answers, audited, decision_tables, empty
from tests.support.function_module import function_module
from tests.support.requests_for_decision import ADA, BEN, ROWS, SLUGS

USE_CASE = "tenant_experience"
BRIEF = PartitionBrief("x", "x", 0, "equal", "As good.", gates=3, compared_with="r0")
EVENT = {
    "task_token": "token",
    "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:tenant-experience-train-and-release:r1",
    "release": "r1",
    "use_case": USE_CASE,
    "batch": "b1",
    "as_of": "2026-11-01T00:00:00Z",
    "started_at": "2026-11-29T09:00:00Z",
    "requested_by": "",
    "shards": [{"shard": 0, "outcome_key": "reports/r1/0/outcome.json"}],
}


@pytest.fixture(scope="module")
def tables() -> Iterator[Answers]:
    with decision_tables() as answers, pytest.MonkeyPatch.context() as monkeypatch:
        more = {"API_URL": "https://api.example.com/v1", "APPROVAL_TIMEOUT_SECONDS": "3600", "STAGE_NOTICES": "false"}
        for name, value in {**more, "ENDPOINT_INSTANCE_TYPE": "ml.m5.large", "ENDPOINT_INSTANCE_COUNT": "1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(approvers, "confirmed", lambda: [Approver(ADA), Approver(BEN)])
        yield answers


@pytest.fixture(autouse=True)
def answers(tables: Answers) -> Iterator[Answers]:
    yield tables
    empty(tables)


def request_decision(rules: str, *, live: bool = True, warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the function answers about a release of three models that are as good as those that are live."""
    briefs = [asdict(replace(BRIEF, partition=slug.title(), slug=slug)) for slug in SLUGS]
    files = {
        "use_cases/r1/use_case.yaml": f"approval: {rules}",
        "reports/r1/0/outcome.json": json.dumps({"partitions": ROWS}),
        "reports/r1/0/brief.json": json.dumps({"partitions": briefs}),
        "reports/r1/data_quality.json": json.dumps({"warnings": warnings}),
    }
    for key, text in files.items():
        boto3.client("s3").put_object(Bucket="data", Key=key, Body=text.encode())
    if live:
        pointer = LiveRelease.of_models("r0", "2026-11-01T00:00:00Z", 1, dict.fromkeys(SLUGS, "r0"))
        release_table.write_live(USE_CASE, pointer, "r0")
    answer: dict[str, Any] = function_module("request_approval").handler(EVENT, None)
    return answer


def test_the_rules_decide_without_an_e_mail_and_the_execution_goes_on(answers: Answers) -> None:
    assert request_decision("{mode: automatic, quorum: 2}") == {"approval_id": "r1", "mailed": 0}
    request, _ = approvals.read_approval("r1")
    assert (request.status, request.delivered, answers.mails) == ("approved", True, [])
    said = "approved automatically: 9 gates on 3 models and every gate on the data passed, and no warning stands"
    assert answers.taken["token"]["reason"] == said
    assert request.verdict("east") == f"approved by the rules of the use case: {said}"
    assert [row["event"] for row in audited()] == ["decided", "delivered"]
    # The function is called again, because its answer was lost: the decision stays.
    assert function_module("request_approval").handler(EVENT | {"task_token": "token-2"}, None)["mailed"] == 0
    assert answers.taken["token-2"]["decided_at"] == request.decided_at


@pytest.mark.parametrize(
    ("rules", "given", "told"),
    [
        ("manual", {}, ()),
        ("automatic", {"warnings": ("Odd.",)}, ("A warning stands.",)),
        (
            "automatic",
            {"live": False},
            ("It is the first release of its use case, so there is nothing to compare it with.",),
        ),
    ],
)
def test_people_are_asked_otherwise_and_read_why(
    answers: Answers, rules: str, given: dict[str, Any], told: tuple[str, ...]
) -> None:
    assert request_decision(rules, **given)["mailed"] == 2
    request, _ = approvals.read_approval("r1")
    assert (request.status, request.summary.not_automatic, answers.taken) == ("pending", told, {})
    assert all(sentence in text for _, _, text in answers.mails for sentence in told)
    assert [row["event"] for row in audited()] == ["asked", "asked"]


def test_a_decision_that_could_not_be_delivered_is_delivered_when_the_function_is_called_again(
    answers: Answers,
) -> None:
    answers.unreachable = 1
    with pytest.raises(PlatformError, match="not_delivered"):
        request_decision("automatic")
    assert approvals.read_approval("r1")[0].status == "approved"
    assert request_decision("automatic")["mailed"] == 0
    assert answers.taken["token"]["decision"] == "approved"
    assert len([row for row in audited() if row["event"] == "decided"]) == 1
