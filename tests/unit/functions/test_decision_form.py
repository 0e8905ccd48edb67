"""The approval page and its form as they are deployed, on moto: links of one's own, votes, and what is refused."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qsl, urlencode

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from tenant_experience.aws import approvals, decisions, executions, link_signature, release_table
from tenant_experience.release.release import LiveRelease
from tenant_experience.use_case.approval_rules import ApprovalRules
from tests.support.approval_pages import (
    APPROVE,
    CONTEXT,
    HOST,
    REJECT,
    Call,
    approval_pages,
    caller,
    confirmation,
    opened,
    page_event,
    preview,
    status,
    token,
    token_of,
    vote,
)
from tests.support.decision_tables import Answers, audited, decision_tables, empty
from tests.support.requests_for_decision import ADA, BEN, CAT, request

_ANSWER = executions.answer


@pytest.fixture(scope="module")
def tables() -> Iterator[Answers]:
    with decision_tables() as answers:
        yield answers


@pytest.fixture(autouse=True)
def answers(tables: Answers) -> Iterator[Answers]:
    yield tables
    empty(tables)


@pytest.fixture(scope="module")
def handler() -> Iterator[Any]:
    with approval_pages() as pages:
        yield pages


@pytest.fixture
def call(handler: Any) -> Call:
    return caller(handler)


def test_a_vote_is_recorded_under_the_address_of_the_link_and_leads_back_to_the_page(
    call: Call, answers: Answers
) -> None:
    asked = opened(digests={"east": "ab" * 32})
    fields = {**APPROVE, "partition": ["east", "west"], "reject_reason": "too few", "approver": "Mallory <b>"}
    answer = vote(call, asked, answers, BEN, fields)
    assert answer["statusCode"] == 303
    stored, _ = approvals.read_approval("r1")
    assert (stored.status, stored.decided_by, stored.delivered) == ("approved", "ben@example.com (Mallory <b>)", True)
    assert [stored.approves(slug) for slug in ("east", "north", "west")] == [True, False, True]
    assert answers.taken["token"]["approver"] == "ben@example.com (Mallory <b>)"
    query = dict(parse_qsl(answer["multiValueHeaders"]["Location"][0].partition("?")[2]))
    assert query["to"] == asked.asked[1].id
    html = call("GET", asked, BEN)["body"]
    assert "Release r1 was approved" in html
    assert "<li>North: too few</li>" in html
    assert "&lt;b&gt;" in html
    assert "<form" not in html
    (decided,) = [row for row in audited() if row["event"] == "decided"]
    assert decided["models"] == {"east": {"version": "r1", "digest": "ab" * 32}}
    events = [(row["event"], row.get("address"), row.get("network")) for row in audited()]
    assert events[:4] == [(event, BEN, "203.0.113.7") for event in ("opened", "code_sent", "voted", "decided")]
    assert events[4][0] == "delivered"
    written = json.dumps(audited())
    assert not any(secret in written for secret in ("token", query["signature"], answers.code))


def test_looking_decides_nothing_and_is_noted_once(call: Call) -> None:
    asked = opened()
    for method in ("HEAD", "GET", "HEAD", "GET"):
        assert call(method, asked)["statusCode"] == 200
    assert status() == "pending"
    assert [row["event"] for row in audited()] == ["opened"]


def test_two_of_a_quorum_of_two_decide_and_the_third_reads_that_theirs_was_not_recorded(
    call: Call, answers: Answers
) -> None:
    asked = opened(quorum=2)
    late = token(call, asked, CAT)
    assert vote(call, asked, answers)["statusCode"] == 303
    assert "1 of 2 approvers have answered" in call("GET", asked, BEN)["body"]
    mine = call("GET", asked)["body"]
    assert "Your answer is recorded." in mine
    assert "<form" not in mine
    assert vote(call, asked, answers, BEN)["statusCode"] == 303
    answer = call("POST", asked, CAT, urlencode({"token": late, **REJECT}))
    assert answer["statusCode"] == 409
    assert "Your answer was not recorded" in answer["body"]
    assert f"by {ADA}; {BEN}, 2" in answer["body"]
    assert audited()[-1]["code"] == "already_decided"


def test_the_same_form_sent_twice_is_one_vote_and_another_one_is_refused(call: Call, answers: Answers) -> None:
    asked = opened(quorum=2)
    body = urlencode({"token": token(call, asked), **APPROVE}, doseq=True)
    assert vote(call, asked, answers)["statusCode"] == 303
    again = urlencode({"token": token_of(asked), "step": "confirm", "code": "1"})
    assert [call("POST", asked, body=each)["statusCode"] for each in (again, body)] == [303, 303]
    assert len(answers.mails) == 1
    other = call("POST", asked, body=urlencode({"token": parse_qsl(body)[0][1], **REJECT}))
    assert (other["statusCode"], status(), len(answers.taken)) == (409, "pending", 0)
    assert "first answer counts" in other["body"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"headers": {"Origin": ["https://evil.example"]}}, 403),
        ({"headers": {"Origin": ["null"]}}, 403),
        ({"headers": {"Origin": [f"https://{HOST}.evil.example"]}}, 403),
        ({"headers": {"Origin": [f"https://{HOST}", "https://evil.example"]}}, 403),
        ({"headers": {"Origin": ["https://[evil"]}}, 403),
        ({"headers": {"Sec-Fetch-Site": ["cross-site"]}}, 403),
        ({"headers": {"sec-fetch-site": ["same-site"]}}, 403),
        ({"headers": {"content-type": ["text/plain"]}}, 415),
        ({"headers": {"content-type": ["multipart/form-data; boundary=x"]}}, 415),
        ({"headers": {"content-type": []}}, 415),
        ({"headers": {"Origin": [f"https://{HOST}"], "Sec-Fetch-Site": ["same-origin"]}}, 303),
        ({"headers": {"content-type": ["application/x-www-form-urlencoded; charset=UTF-8"]}}, 303),
    ],
)
def test_a_form_of_another_site_or_type_is_refused(
    call: Call, answers: Answers, changes: dict[str, Any], expected: int
) -> None:
    asked = opened()
    assert preview(call, asked, **changes)["statusCode"] == expected
    assert len(answers.mails) == (expected == 303)
    assert vote(call, asked, answers, **changes)["statusCode"] == expected
    assert status() == ("approved" if expected == 303 else "pending")
    assert ("refused" in [row["event"] for row in audited()]) == (expected != 303)


@pytest.mark.parametrize(
    "body", ["", "decision=approve&reason=fine", "a=%ff", "x" * 100_001, "&".join(["a=1"] * 1_001)]
)
def test_a_form_that_is_not_ours_is_refused(call: Call, body: str) -> None:
    asked = opened()
    assert call("POST", asked, body=body)["statusCode"] in (400, 403)
    encoded = base64.b64encode(b"\xff").decode()
    assert call("POST", asked, body=encoded, isBase64Encoded=True)["statusCode"] == 400
    assert (status(), audited()[-1]["event"]) == ("pending", "refused")


def test_a_link_and_a_token_are_good_for_one_approver_and_one_request(call: Call) -> None:
    asked, other = opened(), opened(approval_id="r2", partitions={"south": "South"})
    theirs = {"token": token(call, asked, BEN), **APPROVE}
    assert call("POST", asked, ADA, urlencode(theirs, doseq=True))["statusCode"] == 403
    theirs["token"] = token(call, other)
    assert call("POST", asked, ADA, urlencode(theirs, doseq=True))["statusCode"] == 403
    good = link_signature.sign(asked.signed_text(ADA))
    for query in (
        {"to": asked.asked[1].id},
        {"to": ""},
        {"to": "0" * 16},
        {"to": "x"},
        {"signature": ""},
        {"signature": good[:-1] + "\u00e9"},
        {"signature": link_signature.sign(other.signed_text(ADA))},
        {"signature": link_signature.sign(replace(asked, expires_at=9).signed_text(ADA))},
    ):
        assert call("GET", asked, query=query)["statusCode"] == 403, query
    assert (status("r1"), status("r2")) == ("pending", "pending")


def test_a_form_that_is_not_whole_comes_back_with_what_was_typed(call: Call) -> None:
    asked = opened()
    answer = preview(call, asked, fields={"decision": "approve", "partition": ["east"], "reason": "looks right"})
    assert answer["statusCode"] == 400
    assert "models without a tick are rejected" in answer["body"]
    ticked = re.findall(r'name="(?:decision|partition)" value="([^"]+)"[^>]*checked', answer["body"])
    assert sorted(ticked) == ["approve", "east"]
    assert 'id="fault-reject_reason"' in answer["body"]
    assert 'aria-describedby="fault-reject_reason"' in answer["body"]
    assert ">\nlooks right</textarea>" in answer["body"]


def test_a_decision_that_was_not_delivered_is_sent_again_as_it_was_recorded(call: Call, answers: Answers) -> None:
    asked = opened()
    answers.unreachable = 2
    first = vote(call, asked, answers)
    assert first["statusCode"] == 503
    assert "recorded, but not delivered yet" in first["body"]
    again = {"token": first["body"].split('name="token" value="')[1].split('"')[0]}
    assert call("POST", asked, body=urlencode(again))["statusCode"] == 503
    # Who answers otherwise meanwhile is told that this was not recorded; the decision is delivered all the same.
    told = call("POST", asked, BEN, urlencode({"token": token_of(asked, BEN), **REJECT}))
    assert (told["statusCode"], "Your answer was not recorded" in told["body"]) == (409, True)
    assert answers.taken["token"]["decision"] == "approved"
    assert audited()[-1]["code"] == "already_decided"
    assert call("POST", asked, body=urlencode(again))["statusCode"] == 303


def test_a_decision_that_nobody_waits_for_is_not_recorded_as_one(call: Call, answers: Answers) -> None:
    asked = opened()
    answers.ended.add("token")
    answer = vote(call, asked, answers)
    assert answer["statusCode"] == 410
    assert "This request was withdrawn" in answer["body"]
    assert status() == "withdrawn"


def test_an_older_release_is_refused_by_name_once_a_later_one_is_live(call: Call, answers: Answers) -> None:
    asked = opened()
    body = urlencode({"token": token(call, asked), **APPROVE}, doseq=True)
    release_table.write_live(
        "tenant_experience", LiveRelease.of_models("r9", "2026-11-29T09:30:00Z", 1, {"east": "r9"}), "r9"
    )
    answer = call("POST", asked, body=body)
    assert answer["statusCode"] == 409
    assert "Release r9 has models for the same portfolios" in answer["body"]
    assert (status(), answers.taken["token"]["decision"]) == ("superseded", "superseded")


@pytest.mark.parametrize("ends", ["expired", "superseded", "withdrawn"])
def test_a_request_that_has_ended_says_how(call: Call, ends: str) -> None:
    asked = opened()
    body = urlencode({"token": token(call, asked), **APPROVE}, doseq=True)
    if ends == "superseded":
        decisions.supersede("r1", "r2", "2026-11-29T10:00:00Z")
    elif ends == "withdrawn":
        decisions.withdraw("r1", "op", "a typo", "2026-11-29T10:00:00Z")
    else:
        approvals.change("r1", lambda stored: replace(stored, status="expired", decided_at="2026-11-29T10:00:00Z"))
    answer = call("POST", asked, body=body)
    assert answer["statusCode"] in (409, 410)
    assert "Your answer was not recorded" in answer["body"]
    assert call("GET", asked)["statusCode"] == 200
    assert status() == ends


def test_a_link_of_an_earlier_version_shows_the_page_and_decides_nothing(handler: Any) -> None:
    asked = opened(asked=())
    event = page_event("GET") | {"queryStringParameters": {"signature": link_signature.sign(asked.signed_text(""))}}
    page = handler(event, CONTEXT)
    assert page["statusCode"] == 200
    assert "This link cannot decide" in page["body"]
    assert "<form" not in page["body"]
    assert (
        handler({**event, "httpMethod": "POST", "body": urlencode(APPROVE, doseq=True)}, CONTEXT)["statusCode"] == 409
    )


def test_the_second_page_shows_what_the_answer_would_do_and_nothing_is_recorded(call: Call, answers: Answers) -> None:
    asked = opened(quorum=3)
    fields = {**APPROVE, "partition": ["east"], "reject_reason": "too few <answers>"}
    location = preview(call, asked, fields=fields)["multiValueHeaders"]["Location"][0]
    assert location.endswith("&confirm=1")
    html = call("GET", asked, query={"confirm": "1"})["body"]
    assert "<li>East</li>" in html
    assert "<li>North: too few &lt;answers&gt;</li>" in html
    assert "2 more approvers must approve after you." in html
    assert 'name="decision"' not in html
    assert answers.code.replace(" ", "") not in html.replace(" ", "")
    [(address, subject, text)] = answers.mails
    assert (address, "r1" in subject, "://" in text) == (ADA, True, False)
    assert answers.code not in subject
    assert "approve 1 and reject 2 models of release r1" in text
    assert approvals.read_approval("r1")[0].votes == ()


def test_a_wrong_code_decides_nothing_and_five_of_them_end_the_code(call: Call, answers: Answers) -> None:
    asked = opened()
    preview(call, asked)
    second = confirmation(call, asked)
    for left, typed in ((4, ""), (3, "0" * 8), (2, "1234 567"), (1, "r1"), (0, "\u0661" * 8)):
        answer = call("POST", asked, body=urlencode({**second, "code": typed}))
        assert answer["statusCode"] == 400
        assert f"{left} {'try is' if left == 1 else 'tries are'} left" in answer["body"]
        assert 'id="fault-code"' in answer["body"]
    answer = call("POST", asked, body=urlencode({**second, "code": answers.code}))
    assert "too many codes were tried" in answer["body"].lower()
    assert (status(), {row["code"] for row in audited() if row["event"] == "refused"}) == (
        "pending",
        {"wrong_code", "no_attempts"},
    )
    assert call("POST", asked, body=urlencode({"token": second["token"], "step": "again"}))["statusCode"] == 303
    assert call("POST", asked, body=urlencode({**second, "code": answers.code}))["statusCode"] == 303
    assert status() == "approved"


def test_a_code_is_good_for_the_vote_that_was_shown_for_one_approver_and_a_quarter_of_an_hour(
    call: Call, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = opened()
    preview(call, asked)
    first, code = confirmation(call, asked), answers.code
    preview(call, asked, fields=REJECT)
    answer = call("POST", asked, body=urlencode({**first, "code": code}))
    assert "another answer" in answer["body"]
    assert call("POST", asked, body=urlencode({**confirmation(call, asked), "code": code}))["statusCode"] == 400
    preview(call, asked, BEN)
    theirs = {**confirmation(call, asked, BEN), "code": code}
    assert call("POST", asked, BEN, urlencode(theirs))["statusCode"] == 400
    late = time.time() + 15 * 60
    monkeypatch.setattr(time, "time", lambda: late)
    answer = call("POST", asked, BEN, urlencode({**theirs, "code": answers.code}))
    assert "which are over" in answer["body"]
    assert status() == "pending"


def test_five_codes_are_sent_within_an_hour_to_each_approver(
    call: Call, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    asked = approvals.open_approval(request(expires_at=int(now) + 9_000), "token", now=10)
    assert [preview(call, asked)["statusCode"] for _ in range(6)] == [303] * 5 + [429]
    assert preview(call, asked, BEN)["statusCode"] == 303
    monkeypatch.setattr(time, "time", lambda: now + 3_500)
    assert "in 2 minutes" in preview(call, asked)["body"]
    monkeypatch.setattr(time, "time", lambda: now + 3_601)
    assert preview(call, asked)["statusCode"] == 303
    assert (len(answers.mails), status()) == (7, "pending")


def test_a_use_case_may_ask_for_the_id_instead_of_a_code(call: Call, answers: Answers) -> None:
    asked = opened(rules=ApprovalRules(confirm="typed"))
    preview(call, asked)
    second = confirmation(call, asked)
    assert call("POST", asked, body=urlencode({**second, "code": "r2"}))["statusCode"] == 400
    assert call("POST", asked, body=urlencode({**second, "code": " r1 "}))["statusCode"] == 303
    assert (status(), answers.mails) == ("approved", [])


def test_the_page_says_why_the_rules_left_the_decision_to_people(call: Call) -> None:
    told = replace(request().summary, not_automatic=("A warning stands.", "No model could be made for <South>."))
    page = call("GET", opened(summary=told))["body"]
    assert "<li>No model could be made for &lt;South&gt;.</li>" in page
    assert "Why people are asked" not in call("GET", opened(approval_id="r2"))["body"]


@pytest.mark.parametrize("lost", [EndpointConnectionError(endpoint_url="x"), ReadTimeoutError(endpoint_url="x")])
def test_an_answer_of_aws_that_got_lost_is_not_told_as_nothing_recorded(
    call: Call, answers: Answers, monkeypatch: pytest.MonkeyPatch, lost: Exception
) -> None:
    asked = opened()
    assert preview(call, asked)["statusCode"] == 303
    second = urlencode({**confirmation(call, asked), "code": answers.code})
    with monkeypatch.context() as once:
        once.setattr(executions, "answer", _ANSWER)
        once.setattr(executions, "stepfunctions", lambda: SimpleNamespace(send_task_success=Mock(side_effect=lost)))
        answer = call("POST", asked, body=second)
    assert answer["statusCode"] == 503
    assert "recorded, but not delivered yet" in answer["body"]
    with monkeypatch.context() as once:
        once.setattr(decisions, "deliver", Mock(side_effect=lost))
        answer = call("POST", asked, body=second)
    assert answer["statusCode"] == 503
    assert "nothing was recorded" not in answer["body"]
    assert call("POST", asked, body=second)["statusCode"] == 303
    assert status() == "approved"
    assert len(answers.taken) == 1
