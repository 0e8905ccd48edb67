"""What everyone who was asked reads about the end of a release."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tenant_experience.errors import PlatformError
from tenant_experience.release import outcome_email
from tenant_experience.release.outcome_email import Outcome

EVENT: dict[str, Any] = {
    "release": "20261129-abcdef0",
    "use_case": "tenant_experience",
    "batch": "raw/tenant_experience/november/",
    "as_of": "2026-11-28T22:00:00Z",
    "status": "released",
    "approver": "ada@example.com (Ada)",
    "reason": "looks right",
    "decided_at": "2026-11-29T10:03:00Z",
    "models": 3,
    "previous": "20261101-1234567",
}
RUN = "https://api.example/v1/runs/20261129-abcdef0?signature=s"
TAKE_BACK = "https://api.example/v1/approvals/20261129-abcdef0/take-back?to=a&signature=t"
ROUTE = "https://api.example/v1/tenants/{tenant_id}/prediction"


def outcome(status: str = "released", **more: Any) -> Outcome:
    event = {**EVENT, "status": status, **more}
    return Outcome.read(event, live="20261101-1234567", not_approved={"rents": "too few"}, route=ROUTE)


def test_a_released_one_says_where_to_ask_and_how_to_take_it_back() -> None:
    subject, text = outcome_email.write(outcome(), RUN, TAKE_BACK)
    assert subject == "Released: 20261129-abcdef0 (batch november)"
    assert text.startswith("Release 20261129-abcdef0 of tenant_experience is live.\n")
    for line in (
        "decided by      ada@example.com (Ada)",
        "reason          looks right",
        "decided         29 November 2026, 10:03 UTC",
        "batch           raw/tenant_experience/november/",
        "models          3",
        "live before     20261101-1234567",
        "rents: too few",
        ROUTE,
        RUN,
        TAKE_BACK,
    ):
        assert line in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("rejected", "it was rejected"),
        ("expired", "nobody decided in time"),
        ("superseded", "a later release took its place"),
        ("withdrawn", "it was withdrawn"),
    ],
)
def test_one_that_did_not_go_live_says_why_and_what_is_live(status: str, words: str) -> None:
    subject, text = outcome_email.write(outcome(status, models=0, previous=""), RUN)
    assert subject == f"Release 20261129-abcdef0: {words} (batch november)"
    assert "live now        20261101-1234567" in text
    assert ("decided by" in text, "withdrawn by" in text) == (status == "rejected", status == "withdrawn")
    assert RUN in text
    for word in ("take-back", "Clients ask", "rents", "None"):
        assert word not in text
    assert re.search(r"stays|upload", text)


def test_the_reason_of_a_superseded_one_has_no_codes() -> None:
    reason = "ReleaseSupersededError: superseded: release a began before the live release b"
    text = outcome_email.write(outcome("superseded", reason=reason), RUN)[1]
    assert "reason          Release a began before the live release b." in text


def test_what_a_person_typed_is_no_link_and_no_second_line() -> None:
    text = outcome_email.write(outcome(approver="Eve\u202e", reason="see http://evil.example\nSubject: x"), RUN)[1]
    assert "http[:]//evil[.]example Subject[:] x" in text or "http[:]//evil[.]example Subject: x" in text
    assert "\u202e" not in text


def test_many_partitions_are_cut_and_counted() -> None:
    rejected = {f"p{number:03}": "no" for number in range(25)}
    text = outcome_email.write(Outcome("r", "u", "released", not_approved=rejected), RUN)[1]
    assert text.count(": no\n") == 20
    assert "and 5 more" in text


def test_an_unknown_status_is_named() -> None:
    with pytest.raises(PlatformError, match="unknown_status"):
        outcome("lost")


def test_the_typed_name_of_an_approver_is_no_link() -> None:
    approver = "ada@example.com (see https://evil.example/login); ben@example.com (www.evil.example)"
    text = outcome_email.write(outcome(approver=approver), RUN)[1]
    said = "ada@example.com (see https[:]//evil[.]example/login); ben@example.com (www[.]evil[.]example)"
    assert f"decided by      {said}\n" in text


def test_a_roll_back_has_words_of_its_own() -> None:
    subject, text = outcome_email.write(outcome("taken_back", release="rb-0123456789abc", batch="", as_of=""), RUN)
    assert subject == "Roll-back rb-0123456789abc: it was taken back"
    assert text.startswith("Roll-back rb-0123456789abc of tenant_experience is done.\nWhat answered before answers")
    assert "live now        20261101-1234567" in text
    assert "take-back" not in text
    for status in ("rejected", "expired", "superseded", "withdrawn"):
        subject, text = outcome_email.write(outcome(status, release="rb-0123456789abc", batch="", as_of=""), RUN)
        assert "not taken back: " in subject
        assert "What was live stays live." in text
        assert "upload" not in text
