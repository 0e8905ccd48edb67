"""From the link of an outcome's e-mail to the pointer that has moved back, on moto, without a state machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from tenant_experience.aws import (
    approval_mail,
    approvals,
    approvers,
    executions,
    link_signature,
    model_archives,
    model_registry,
    objects,
    release_table,
    take_backs,
)
from tenant_experience.data_layout import REJECTED_FILE, decided
from tenant_experience.errors import UserError
from tenant_experience.release import links
from tenant_experience.release.approval import Approval
from tenant_experience.release.approver import Approver
from tenant_experience.release.release import LiveRelease, PublishedModel, next_live
from tests.support.approval_pages import Call, approval_pages, caller, opened
from tests.support.decision_tables import Answers, audited, decision_tables, empty
from tests.support.function_module import function_module
from tests.support.requests_for_decision import ADA, BEN, CAT, SLUGS

USE_CASE = "tenant_experience"
REASON = {"reason": "the answers look wrong"}
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:te-roll-back"


@pytest.fixture(scope="module")
def tables() -> Iterator[Answers]:
    with decision_tables() as answers:
        yield answers


@pytest.fixture(scope="module")
def handler() -> Iterator[Any]:
    with approval_pages() as pages:
        yield pages


@pytest.fixture
def call(handler: Any) -> Call:
    return caller(handler)


@pytest.fixture
def started(tables: Answers, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, dict[str, Any]]]:
    """Two releases are published, and the second one's request is decided; the roll-backs that were started."""
    given: dict[str, dict[str, Any]] = {}
    for name, value in {
        "ROLL_BACK_MACHINE": MACHINE,
        "API_URL": "https://api.example.com/v1",
        "APPROVAL_TIMEOUT_SECONDS": "600",
        "PROJECT": "te",
        "USE_CASE": USE_CASE,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(executions, "start_roll_back", lambda run, wish: given.setdefault(run, wish) == wish)
    monkeypatch.setattr(approvers, "confirmed", lambda: [Approver(each) for each in (ADA, BEN, CAT)])
    monkeypatch.setattr(approval_mail, "ask", lambda request, asked, now: approvals.mark_mailed(request, asked, now))
    publish("r0", "2026-11-01T00:00:00Z", "east", "north")
    publish("r1", "2026-11-02T00:00:00Z", "east", "north")
    yield given
    empty(tables)


def publish(release: str, began: str, *slugs: str) -> LiveRelease:
    models = [PublishedModel(slug, release, f"digest of {release}") for slug in slugs]

    def move(current: LiveRelease | None) -> LiveRelease | None:
        return next_live(current, release=release, started_at=began, models=models)

    return release_table.move_live(USE_CASE, release, move)


def live() -> dict[str, str]:
    found = release_table.read_live(USE_CASE)
    return found.models if found else {}


def ask(
    call: Call, released: Approval, method: str = "GET", address: str = ADA, form: Any = None, **query: str
) -> dict[str, Any]:
    """By the take-back link of an address."""
    text = links.take_back_text(released.approval_id, released.execution_arn, released.expires_at, address)
    path = f"/approvals/{released.approval_id}/take-back"
    return call(
        method,
        released,
        address,
        urlencode(form, doseq=True) if form is not None else None,
        query={"signature": link_signature.sign(text), **query},
        path=path,
        resource="/approvals/{approval_id}/take-back",
    )


def hidden(html: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html.partition("</form>")[0]))


def query_of(answer: Mapping[str, Any]) -> dict[str, str]:
    given = dict(parse_qsl(answer["multiValueHeaders"]["Location"][0].partition("?")[2]))
    return {name: value for name, value in given.items() if name not in ("to", "signature")}


def begin(call: Call, released: Approval, answers: Answers, address: str = ADA, **fields: str) -> dict[str, Any]:
    """Both forms; what the second one is answered with."""
    form = hidden(ask(call, released, "GET", address)["body"])
    first = ask(call, released, "POST", address, {**form, **REASON, **fields})
    assert first["statusCode"] == 303
    query = query_of(first)
    form = hidden(ask(call, released, "GET", address, **query)["body"])
    return ask(call, released, "POST", address, {**form, "code": answers.code}, **query)


def request_approval(run: str, wish: dict[str, Any], waits: str = "token") -> Approval:
    """What the first state of the roll-back does."""
    event = {
        "release": run,
        "use_case": USE_CASE,
        "task_token": f"{waits} of {run}",
        "execution_arn": f"{MACHINE.replace('stateMachine', 'execution')}:{run}",
        "started_at": "2026-11-03T00:00:00.000Z",
        "take_back": wish,
    }
    function_module("request_approval").handler(event, None)
    return approvals.read_approval(run)[0]


def test_the_link_shows_what_would_come_back_and_changes_nothing(
    call: Call, started: dict[str, dict[str, Any]]
) -> None:
    released = opened(status="approved")
    for method in ("HEAD", "GET", "GET"):
        answer = ask(call, released, method)
        assert answer["statusCode"] == 200
    html = " ".join(unescape(answer["body"]).split())
    assert "<td>East</td> <td>r1</td> <td>r0</td>" in html
    assert (live(), started) == ({"east": "r1", "north": "r1"}, {})


@pytest.mark.parametrize("wrong", ["another_address", "approval_signature", "another_release", "nobody", "none"])
def test_another_link_does_not_open_it(call: Call, started: dict[str, dict[str, Any]], wrong: str) -> None:
    released = opened(status="approved")
    given = {
        "another_address": links.take_back_text("r1", released.execution_arn, released.expires_at, BEN),
        "approval_signature": released.signed_text(ADA),
        "another_release": links.take_back_text("r0", released.execution_arn, released.expires_at, ADA),
    }
    query = {"signature": link_signature.sign(given[wrong])} if wrong in given else {}
    query |= {"nobody": {"to": "0" * 16}, "none": {"signature": ""}}.get(wrong, {})
    for method in ("GET", "POST"):
        assert ask(call, released, method, form={**REASON}, **query)["statusCode"] == 403
    assert started == {}


def test_an_approver_takes_a_release_back_once_with_the_code(
    call: Call, tables: Answers, started: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = opened(status="approved")
    token = hidden(ask(call, released)["body"])
    assert ask(call, released, "POST", form={**token, "reason": ""})["statusCode"] == 400
    assert ask(call, released, "POST", form=REASON)["statusCode"] == 403  # without the page's token
    assert "Your answer is recorded" in ask(call, released, **query_of(begin(call, released, tables)))["body"]
    # Before there is anything to be seen, another approver asks for the same.
    others = ask(call, released, "GET", BEN, **query_of(begin(call, released, tables, BEN)))
    assert "your answer was not recorded" in others["body"]
    [(run, wish)] = started.items()
    assert "take back release r1" in tables.mails[-1][2]

    request = request_approval(run, wish)
    assert (request.kind, request.status, request.decided_by) == ("take_back", "approved", ADA)
    assert tables.taken[f"token of {run}"]["decision"] == "approved"
    assert [row["event"] for row in audited(run)][-3:] == ["voted", "decided", "delivered"]
    again = request_approval(run, wish, "another")  # a state that is tried again asks nobody, and counts no vote twice
    assert (len(again.votes), [each.mailed for each in again.asked]) == (1, ["", "", ""])
    page = ask(call, released, "GET", CAT)
    assert (page["statusCode"], f"/{run}?" in page["multiValueHeaders"]["Location"][0]) == (303, True)

    told: list[tuple[str, str]] = []
    monkeypatch.setattr(model_registry, "registered_digest", lambda *_given: "digest of r0")
    monkeypatch.setattr(model_archives, "check_registered", lambda _model: None)
    monkeypatch.setattr(model_registry, "put_back", lambda group, release, **_reason: told.append((group, release)))
    take_back = function_module("take_back").handler
    prepared = take_back({"step": "prepare", "run": run, "decision": "approved", "decided_at": "x"}, None)
    assert prepared["models"] == [{"slug": slug, "version": "r0"} for slug in ("east", "north")]
    for _ in range(2):  # the second time because the first answer was lost
        moved = take_back({"step": "move", "run": run, "began": "2026-11-03T00:00:00.000Z"}, None)
    assert (moved["models"], moved["live"], live()) == (2, "r0", {"east": "r0", "north": "r0"})
    assert told[:2] == [("te-east", "r0"), ("te-north", "r0")]
    (row, *_) = [row for row in audited(run) if row["event"] == "taken_back"]
    assert row["models"]["east"] == {"now": "r0", "before": "r1", "digest": "digest of r0"}
    over = ask(call, released)
    assert (over["statusCode"], "Release r1 does not answer any more" in over["body"]) == (409, True)


def test_of_a_quorum_of_two_the_others_are_asked(
    call: Call, tables: Answers, started: dict[str, dict[str, Any]]
) -> None:
    released = opened(status="approved", quorum=2)
    begin(call, released, tables)
    [(run, wish)] = started.items()
    request = request_approval(run, wish)
    assert (request.status, [vote.address for vote in request.votes]) == ("pending", [ADA])
    stored, _ = approvals.read_approval(run)
    assert [bool(each.mailed) for each in stored.asked] == [False, True, True]
    html = " ".join(call("GET", stored, BEN)["body"].split())
    for said in ("Take back release r1", "1 of 2 approvers have answered", "Approve: the models with a tick are taken"):
        assert said in html


def test_features_that_are_asked_for_are_confirmed_and_only_those_of_the_partitions(
    call: Call, tables: Answers, started: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(call, opened(status="approved"), tables, features="1")
    [(run, wish)] = started.items()
    assert wish["features"] is True
    request_approval(run, wish)
    rows = [{"partition": slug, "slug": slug} for slug in SLUGS]
    objects.write_json("data", "features/r0/partitions.json", [{"shard": 0, "partitions": rows}])
    monkeypatch.setattr(model_registry, "registered_digest", lambda *_given: "digest of r0")
    monkeypatch.setattr(model_archives, "check_registered", lambda _model: None)
    event = {"step": "prepare", "run": run, "decision": "approved", "decided_at": "x"}
    assert function_module("take_back").handler(event, None)["features"] == "r0"
    assert objects.read_json("data", decided(run) + REJECTED_FILE) == ["west"]


def test_the_first_release_cannot_be_taken_back(call: Call, started: dict[str, Any]) -> None:
    answer = ask(call, opened(approval_id="r0", status="approved"))
    assert (answer["statusCode"], "is the first of its use case" in answer["body"]) == (409, True)
    assert started == {}


def test_a_vote_that_no_page_took_or_of_a_former_approver_does_not_count(
    call: Call, tables: Answers, started: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(call, opened(status="approved"), tables)
    [(run, wish)] = started.items()
    forged = {**wish, "vote": {**wish["vote"], "address": BEN}}
    with pytest.raises(UserError) as refused:
        request_approval(run, forged)
    assert refused.value.code == "bad_link"
    monkeypatch.setattr(approvers, "confirmed", lambda: [Approver(BEN)])
    with pytest.raises(UserError) as refused:
        request_approval("rb-another", wish)
    assert refused.value.code == "bad_link"  # the vote is of another roll-back
    release_table.dynamodb().delete_item(TableName="releases", Key={"id": {"S": f"approval#{run}"}})
    with pytest.raises(UserError) as refused:
        request_approval(run, wish)
    assert refused.value.code == "not_an_approver"
    assert live() == {"east": "r1", "north": "r1"}


def test_one_that_came_to_nothing_can_be_asked_for_again(
    call: Call, tables: Answers, started: dict[str, dict[str, Any]]
) -> None:
    released = opened(status="approved")
    begin(call, released, tables)
    [(run, wish)] = started.items()
    request_approval(run, wish)
    stored, _ = approvals.read_approval(run)
    release_table.dynamodb().update_item(
        TableName="releases",
        Key={"id": {"S": f"approval#{run}"}},
        UpdateExpression="SET #status = :expired",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":expired": {"S": "expired"}},
    )
    assert stored.status == "approved"
    begin(call, released, tables)
    assert len(started) == 2


@pytest.mark.usefixtures("started")
def test_a_release_of_another_use_case_is_not_known_to_this_one() -> None:
    wish = take_backs.Wish("another", "r0")
    with pytest.raises(UserError) as refused:
        take_backs.plan(wish)
    assert refused.value.code == "unknown_release"


def test_of_very_many_partitions_all_are_taken_back_or_none(
    call: Call, tables: Answers, started: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_backs, "MAX_PARTITIONS", 1)
    begin(call, opened(status="approved"), tables)
    [(run, wish)] = started.items()
    request = request_approval(run, wish)
    assert (request.partitions, request.status, request.approves("east")) == ({}, "approved", True)
