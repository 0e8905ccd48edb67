from __future__ import annotations

import json

import pytest

from tenant_experience.release import confirmation
from tenant_experience.release.vote import Vote
from tests.support.requests_for_decision import ADA, BEN, request

VOTE = Vote(ADA, "Ada", frozenset({"east"}), {"north": "no", "west": "no"}, "because", "t")


@pytest.mark.parametrize(
    ("typed", "code"),
    [("12345678", "12345678"), (" 1234 5678\n", "12345678"), ("1234-5678", "12345678")]
    + [(wrong, "") for wrong in ("1234567", "123456789", "1234567x", "\u0661" * 8, "", "\xb2" * 8)],
)
def test_a_code_may_be_typed_as_it_was_mailed_or_without_its_space(typed: str, code: str) -> None:
    assert confirmation.normal(typed) == code


def test_a_code_has_eight_digits_and_is_good_for_one_request_approver_and_vote() -> None:
    codes = {confirmation.new_code() for _ in range(50)}
    assert all(confirmation.normal(code) == code for code in codes)
    assert len(codes) > 40
    other = Vote(ADA, "Ada", None, {}, "because", "t")
    theirs = Vote(BEN, "Ada", frozenset({"east"}), {"north": "no", "west": "no"}, "because", "t")
    texts = {
        confirmation.signed_text(asked, vote, code)
        for asked in (request(), request("r2"), request(expires_at=7))
        for vote in (VOTE, other, theirs)
        for code in ("12345678", "12345679")
    }
    assert len(texts) == 18


def test_a_draft_is_read_back() -> None:
    draft = confirmation.next_draft(None, VOTE, 10, mac="m")
    assert confirmation.read(json.loads(json.dumps(confirmation.document(draft)))) == draft
    assert (draft.expires_at, draft.attempts, draft.sent) == (910, 5, (10,))
