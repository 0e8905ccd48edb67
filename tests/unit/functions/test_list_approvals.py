"""GET /approvals: open and past decisions, page by page, without what decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tenant_experience.aws import approvals, request_pages
from tenant_experience.release import decision
from tenant_experience.release.vote import Vote
from tenant_experience.use_case import files as use_case_files
from tests.support.decision_tables import Answers, decision_tables, empty
from tests.support.function_module import function_module
from tests.support.places import ROOT
from tests.support.requests_for_decision import ADA, request

app = function_module("list_approvals")
FAR = 4_000_000_000
TOKEN = "the-secret-task-token"  # noqa: S105  # to see that no answer has it


@pytest.fixture(scope="module")
def tables() -> Iterator[Answers]:
    with decision_tables() as answers:
        yield answers


@pytest.fixture(autouse=True)
def _clean(tables: Answers, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(ROOT))
    monkeypatch.setattr(use_case_files, "names", lambda: ["another", "tenant_experience"])
    yield
    empty(tables)


def opened(number: int, **changes: Any) -> None:
    wanted: dict[str, Any] = {"expires_at": FAR, "requested_at": f"2026-11-{number:02}T10:00:00Z"} | changes
    approvals.open_approval(request(f"r{number:02}", **wanted), TOKEN, now=10)


def get(method: str = "GET", **query: str) -> tuple[int, Any]:
    event = json.loads((ROOT / "events" / "list_approvals.json").read_text())
    answered = app.handler({**event, "httpMethod": method, "queryStringParameters": query or None}, None)
    assert TOKEN not in answered["body"]
    return answered["statusCode"], json.loads(answered["body"] or "null")


def ids(**query: str) -> list[str]:
    status, body = get(**query)
    assert status == 200
    return [each["id"] for each in body["approvals"]]


def test_a_decision_is_told_with_who_and_when_and_nothing_that_decides() -> None:
    opened(1, requested_by="maker@example.com")
    given = Vote(ADA, "Ada", None, {}, "looks right", "2026-11-02T10:00:00Z")
    approvals.change("r01", lambda stored: decision.cast(stored, given, 10))
    (told,) = get(use_case="tenant_experience")[1]["approvals"]
    assert {name: told[name] for name in ("id", "kind", "use_case", "status", "requested_by", "delivered")} == {
        "id": "r01",
        "kind": "release",
        "use_case": "tenant_experience",
        "status": "approved",
        "requested_by": "maker@example.com",
        "delivered": False,
    }
    assert told["votes"][0]["address"] == ADA
    assert told["asked"][0]["address"] == ADA
    assert sorted(told["outcome"]["approved"]) == ["east", "north", "west"]
    assert not {"task_token", "execution_arn", "summary"} & told.keys()


def test_pages_follow_each_other_without_a_gap_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 8):
        opened(number)
    monkeypatch.setattr(request_pages, "_READ_AT_ONCE", 2)
    newest_first = [f"r{number:02}" for number in range(7, 0, -1)]
    assert ids() == newest_first
    found: list[str] = []
    cursor, pages = "", 0
    while True:
        _, body = get(limit="3", **({"cursor": cursor} if cursor else {}))
        found += [each["id"] for each in body["approvals"]]
        cursor, pages = body["cursor"], pages + 1
        if cursor is None:
            break
    assert found == newest_first
    assert pages >= 3


def test_a_request_whose_time_is_over_is_not_shown_as_open() -> None:
    opened(1)
    opened(2, expires_at=20)
    opened(3)
    approvals.change("r03", lambda stored: decision.withdraw(stored, "op", "a typo", "2026-11-04T10:00:00Z"))
    assert (ids(status="pending"), ids(status="expired"), ids(status="withdrawn")) == (["r01"], ["r02"], ["r03"])
    assert get(status="expired")[1]["approvals"][0]["status"] == "expired"
    assert ids(use_case="another") == ids(status="approved") == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"use_case": "../etc"}, 404, "unknown_use_case"),
        ({"status": "open"}, 400, "bad_status"),
        ({"limit": "0"}, 400, "bad_limit"),
        ({"limit": "51"}, 400, "bad_limit"),
        ({"limit": "1e1"}, 400, "bad_limit"),
        ({"limit": "0010000"}, 400, "bad_limit"),
        ({"limit": "0050" + "9" * 5_000}, 400, "bad_limit"),
        ({"limit": "²"}, 400, "bad_limit"),
        ({"cursor": "!"}, 400, "bad_cursor"),
        ({"cursor": "W10"}, 400, "bad_cursor"),
        ({"cursor": request_pages.Place("gone").cursor}, 400, "bad_cursor"),
        ({"cursor": request_pages.Place("tenant_experience", "r1").cursor}, 400, "bad_cursor"),
        ({"cursor": request_pages.Place("tenant_experience", "", "2026-11-29T10:00:00Z").cursor}, 400, "bad_cursor"),
        ({"cursor": request_pages.Place("tenant_experience", "r1\x00", "x" * 5_000).cursor}, 400, "bad_cursor"),
        ({"page": "1"}, 400, "unknown_parameter"),
    ],
)
def test_what_is_refused(query: dict[str, str], status: int, code: str) -> None:
    answered, body = get(**query)
    assert (answered, body["code"]) == (status, code)


def test_a_wrong_method_is_told_which_are_right() -> None:
    assert get("POST")[0] == 405
    assert get("HEAD") == (200, None)
