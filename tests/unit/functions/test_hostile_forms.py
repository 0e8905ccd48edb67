"""Whatever is sent to the approval page: nothing is decided by it, and the function never fails."""

from __future__ import annotations

import base64
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from tenant_experience.aws import approvals, decisions, link_signature
from tenant_experience.release.approval import Approval
from tests.support.approval_pages import (
    APPROVE,
    Call,
    approval_pages,
    caller,
    confirmation,
    opened,
    preview,
    status,
    token_of,
    vote,
)
from tests.support.decision_tables import Answers, audited, decision_tables, empty
from tests.support.requests_for_decision import ADA, BEN, CAT

NAMES = (
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "Ada\r\nBcc: all@example.com",
    "\u202eevil\u202c",
    "\u200b\u200b",
    "\x00\x1b[2J",
    "a" * 121,
    "\U0001f3e0" * 120,
    "https://evil.example/",
    "',()\"; DROP TABLE",
    "",
)


@pytest.fixture(scope="module")
def call() -> Iterator[Call]:
    with approval_pages() as handler:
        yield caller(handler)


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    with decision_tables() as tables:
        yield tables


@pytest.fixture(autouse=True)
def _emptied(answers: Answers) -> Iterator[None]:
    yield
    empty(answers)


def hostile(rng: random.Random) -> Iterator[tuple[dict[str, Any], int]]:
    """Forms and the status that each must get; None of the fields stands for another approver's token."""
    for field, value in itertools.product(("approver", "reason", "reject_reason", "partition", "decision"), NAMES):
        yield {**APPROVE, field: value}, 0
    for size in (1, 2, 3):
        for missing in itertools.combinations(("decision", "reason", "partition"), size):
            yield {name: value for name, value in APPROVE.items() if name not in missing}, 400
    for _ in range(60):
        yield {**APPROVE, "token": "".join(rng.choices("ABCabc019-_=%é", k=rng.randrange(60)))}, 403
    for _ in range(40):
        yield (
            {**APPROVE, "step": "confirm", "draft": f"{rng.getrandbits(128):032x}", "code": f"{rng.getrandbits(26)}"},
            400,
        )
    for count in (2, 10, 900):
        yield {**APPROVE, "partition": [f"p{n}" for n in range(count)]}, 400
        yield {**APPROVE, "decision": ["approve", *["reject"] * count]}, 0
    yield {**APPROVE, **{f"f{n}": "x" for n in range(1_100)}}, 400
    yield {**APPROVE, "reason": "x" * 200_000}, 400
    yield {}, 400


@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.slow)])
def test_hostile_forms_decide_nothing_and_are_audited(call: Call, answers: Answers, every: int) -> None:
    asked = opened(quorum=3)
    forms = list(hostile(random.Random(1)))
    assert len(forms) > 170
    for fields, wanted in forms[::every]:
        given = {"token": token_of(asked), **fields}
        answer = call("POST", asked, body=urlencode(given, doseq=True))
        assert answer["statusCode"] in ((wanted,) if wanted else (303, 400, 429)), (fields, answer["body"][-300:])
        assert "<script>" not in answer["body"]
        assert "\u202e" not in answer["body"]
    told = [row["event"] for row in audited()]
    assert told.count("refused") + told.count("code_sent") == len(forms[::every])
    assert approvals.read_approval("r1")[0].votes == ()
    assert all("\n" not in subject for _, subject, _ in answers.mails)


Request = tuple[str, Approval, dict[str, Any], tuple[int, ...]]


def forged(rng: random.Random, asked: Approval, other: Approval) -> Iterator[Request]:
    """Method, request, what else is sent, and the statuses that are right, for every link and body but a good one."""
    good, body = link_signature.sign(asked.signed_text(ADA)), whole(asked)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    signatures = [
        good[:place] + rng.choice([c for c in alphabet if c != good[place]]) + good[place + 1 :]
        for place in [*range(len(good)), *rng.choices(range(len(good)), k=200)]
    ]
    signatures += [good[:9] + "*" * 4 + good[9:], good + "=", good[:-1], good * 300, "", "\x00", "é" * 43, good.lower()]
    signatures += [
        link_signature.sign(approval.signed_text(address))
        for approval in (other, replace(asked, expires_at=5), replace(asked, execution_arn="arn:another"))
        for address in (ADA, BEN, CAT, "dan@example.com", "")
    ]
    signatures += [link_signature.sign(asked.signed_text(each)) for each in (BEN, CAT, "")]
    signatures += [link_signature.sign(text) for text in (b"run\nr1", b"form\n" + asked.signed_text(ADA))]
    for method, signature in itertools.product(("POST",), signatures):
        yield method, asked, {"body": body, "query": {"signature": signature}}, (403,)
    for to in ("", "0" * 16, "x" * 20_000, "ada@example.com", "\u202e", other.asked[1].id):
        yield "POST", asked, {"body": body, "query": {"to": to}}, (403,)
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        yield method, asked, {"body": body}, (405,)
        yield method, asked, {"body": body, "query": {"signature": "A" * 43}}, (405,)
    for kind in ("text/plain", "application/json", "multipart/form-data", "text/html", ""):
        for origin in ("https://evil.example", "null", "http://api.example.com.evil.example", "file://", "https://["):
            yield "POST", asked, {"body": body, "headers": {"content-type": [kind], "Origin": [origin]}}, (403, 415)
    for site in ("cross-site", "same-site", "same-origin, cross-site", "x" * 5_000):
        yield "POST", asked, {"body": body, "headers": {"Sec-Fetch-Site": [site]}}, (403,)
    for _ in range(60):
        raw = bytes(rng.getrandbits(8) for _ in range(rng.randrange(200)))
        yield "POST", asked, {"body": raw.decode("latin-1")}, (400, 403)
        yield "POST", asked, {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}, (400, 403)
    for raw in (
        "reason=%ff",
        "reason=%ED%A0%80",
        "reason=\ud800\udfff\udfff",
        "reason=" + "%00" * 900,
        "&" * 1_001,
        "=" * 99_999,
        "x" * 100_001,
    ):
        yield "POST", asked, {"body": f"{raw}&{body}"}, (400,)
        yield "POST", asked, {"body": raw, "isBase64Encoded": True}, (400, 403)
    for decision in ("approve", "reject"):  # replayed, of a request that is decided
        yield "POST", other, {"body": whole(other, decision=decision)}, (409,)


def whole(asked: Approval, **changed: Any) -> str:
    return urlencode({"token": token_of(asked), **APPROVE, **changed}, doseq=True)


@pytest.mark.parametrize("every", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_links_and_requests_of_every_other_kind_decide_nothing_and_are_audited(
    call: Call, answers: Answers, every: int
) -> None:
    """Tampered, expired, replayed, another address's, another release's, a wrong method, oversized, not UTF-8."""
    asked, other = opened(quorum=3), opened(approval_id="r2", partitions={"south": "South"})
    assert vote(call, other, answers)["statusCode"] == 303  # r2 is decided
    given = list(forged(random.Random(2), asked, other))
    assert len(given) >= 420
    for method, approval, more, wanted in given[::every]:
        answer = call(method, approval, **more)
        assert answer["statusCode"] in wanted, (method, more, answer["statusCode"], answer["body"][-300:])
    told = Counter(row["event"] for row in (*audited("r1"), *audited("r2")))
    assert told["refused"] == len(given[::every])
    assert (told["voted"], status("r1"), status("r2")) == (1, "pending", "approved")
    assert approvals.read_approval("r1")[0].votes == ()


@pytest.mark.slow
def test_a_scanner_that_follows_links_and_fills_in_forms_decides_nothing(call: Call) -> None:
    asked = opened()
    for n in range(500):
        assert call("HEAD" if n % 2 else "GET", asked, query={"confirm": "1"} if n % 3 else {})["statusCode"] == 200
    for decision in ("approve", "reject"):
        assert preview(call, asked, fields={**APPROVE, "decision": decision})["statusCode"] == 303
        second = confirmation(call, asked)
        html = call("GET", asked, query={"confirm": "1"})["body"]
        words = set(re.findall(r"[\w-]+", re.sub(r"<[^>]+>", " ", html))) | set(re.findall(r'value="([^"]*)"', html))
        for word in sorted(words):
            assert call("POST", asked, body=urlencode({**second, "code": word}))["statusCode"] == 400
    assert status() == "pending"
    assert [row["event"] for row in audited() if row["event"] != "refused"] == ["opened", "code_sent", "code_sent"]


@pytest.mark.slow
def test_three_approvers_with_a_thousand_forms_make_one_decision(call: Call, answers: Answers) -> None:
    asked = opened(quorum=2)
    rng, statuses = random.Random(3), Counter[int]()
    seconds = []
    for address in (ADA, BEN, CAT):
        assert preview(call, asked, address)["statusCode"] == 303
        seconds.append((address, urlencode({**confirmation(call, asked, address), "code": answers.code})))
    for _ in range(1_000):
        address, second = rng.choice(seconds)
        first = urlencode({"token": token_of(asked, address), **APPROVE, "decision": "reject"}, doseq=True)
        body = second if rng.random() < 0.5 else first
        statuses[call("POST", asked, address, body)["statusCode"]] += 1
    stored, _ = approvals.read_approval("r1")
    assert stored.status in ("approved", "rejected", "pending")
    assert set(statuses) <= {303, 400, 409, 429}
    assert len(answers.taken) == (stored.status != "pending")
    assert [row["event"] for row in audited()].count("decided") == (stored.status != "pending")
    assert len(stored.votes) <= 3
    decisions.deliver("r1")
    assert len(answers.taken) <= 1
