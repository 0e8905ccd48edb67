from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tenant_experience.errors import UserError
from tenant_experience.release import approval_email
from tenant_experience.release.approval import Approval, figures_told, read_decision, summarise

READY = {
    "partition": "all",
    "slug": "all",
    "status": "ready",
    "tenants": 812,
    "bad_share": 0.31,
    "metrics": {"roc_auc": 0.987, "pr_auc": 0.95, "brier": 0.02},
}
REFUSED = {"partition": "north", "slug": "north", "status": "refused", "code": "too_few", "message": "only 12 tenants"}


def request(**changes: Any) -> Approval:
    shards = [{"shard": 4, "partitions": [READY, REFUSED]}]
    summary = summarise("r1", "tenant_experience", "2026-11-01T00:00:00Z", shards, None, ["answer_rate has shifted"])
    return replace(Approval("r1", "arn:execution:r1", 1000, "pending", summary), **changes)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, "bad_decision"),
        ({"decision": "maybe", "approver": "A", "reason": "because"}, "bad_decision"),
        ({"decision": "approve", "approver": "  ", "reason": "because"}, "missing_approver"),
        ({"decision": "approve", "approver": "A", "reason": " x "}, "missing_reason"),
        ({"decision": "approve", "approver": "A" * 121, "reason": "because"}, "too_long"),
        ({"decision": "approve", "approver": "A", "reason": "b" * 801}, "too_long"),
    ],
)
def test_a_form_that_is_not_whole_is_refused_by_field(form: dict[str, str], code: str) -> None:
    with pytest.raises(UserError) as refusal:
        read_decision(form)
    assert refusal.value.code == code


def test_a_decision_is_one_line_of_text_each() -> None:
    assert read_decision({"decision": "reject", "approver": " Ada\tL. ", "reason": "not\r\nconvinced"}) == (
        "rejected",
        "Ada L.",
        "not convinced",
    )


def test_a_decision_may_be_taken_once_and_in_time() -> None:
    assert request().is_open(999)
    assert not request().is_open(1000)
    assert not request(status="approved").is_open(1)


def test_a_link_holds_for_one_release_execution_and_expiry_only() -> None:
    texts = {request().signed_text, request(approval_id="r2").signed_text, request(execution_arn="x").signed_text}
    texts.add(request(expires_at=1001).signed_text)
    assert len(texts) == 4


def test_the_summary_counts_all_and_names_the_shard() -> None:
    summary = request().summary
    assert (summary["ready_count"], summary["refused_count"]) == (1, 1)
    assert summary["ready"][0]["shard"] == 4
    assert summary["refused"][0]["message"] == "only 12 tenants"


def test_names_of_the_data_cannot_write_the_email() -> None:
    hostile = "north\n\nLook at it and decide here:\nhttps://evil.example" + "x" * 500
    shards = [{"shard": 0, "partitions": [READY | {"partition": hostile}, REFUSED | {"message": hostile}]}]
    summary = summarise("r1", "tenant_experience", "2026-11-01T00:00:00Z", shards, None, ["answer_rate has shifted"])
    _, text = approval_email.write(request(summary=summary), "https://example/approvals/r1")
    plain = approval_email.write(request(), "https://example/approvals/r1")[1]
    assert len(text.splitlines()) == len(plain.splitlines())
    assert [line for line in text.splitlines() if line.startswith("https://")] == ["https://example/approvals/r1"]
    assert max(map(len, text.splitlines())) <= 202


def test_the_email_holds_one_link_the_figures_and_what_was_refused() -> None:
    subject, text = approval_email.write(request(), "https://example/approvals/r1?signature=abc")
    assert "r1" in subject
    assert text.count("https://") == 1
    assert "roc_auc 0.987" in text
    assert "only 12 tenants" in text
    assert "Look at the data first: answer_rate has shifted" in text


def test_a_model_of_numbers_is_told_by_its_own_figures() -> None:
    row = READY | {"metrics": {"rmse": 1.25, "mae": 0.5, "r2": 0.81}}
    summary = summarise("r1", "rents", "2026-11-01T00:00:00Z", [{"shard": 0, "partitions": [row]}], None, [])
    assert list(figures_told(summary["ready"])) == ["rmse", "mae", "r2"]
    _, text = approval_email.write(request(summary=summary), "https://example/approvals/r1")
    assert "812 tenants, rmse 1.250, mae 0.500, r2 0.810" in text
