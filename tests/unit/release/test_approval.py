from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tenant_experience.release import approval_email
from tenant_experience.release.approval import Approval, ApprovalSummary, summarise
from tenant_experience.release.partition_result import ShardResult
from tenant_experience.use_case.words import Words
from tests.support.words import TENANT_WORDS

READY = {
    "partition": "all",
    "slug": "all",
    "status": "ready",
    "tenants": 812,
    "bad_share": 0.31,
    "metrics": {"roc_auc": 0.987, "pr_auc": 0.95, "brier": 0.02},
}
BATCH = "raw/tenant_experience/2026-11/"
REFUSED = {"partition": "north", "slug": "north", "status": "refused", "code": "too_few", "message": "only 12 tenants"}


def summary_of(
    *rows: dict[str, Any], shard: int = 0, warnings: tuple[str, ...] = (), batch: str = BATCH
) -> ApprovalSummary:
    shards = [ShardResult.read({"partitions": rows}, shard)]
    return summarise("r1", "tenant_experience", "2026-11-01T00:00:00Z", shards, None, warnings, batch, TENANT_WORDS)


def request(**changes: Any) -> Approval:
    summary = summary_of(READY, REFUSED, shard=4, warnings=("answer_rate has shifted",))
    return replace(Approval("r1", "arn:execution:r1", 1000, "pending", summary), **changes)


def test_how_the_answers_agree_with_outcomes_is_in_the_mail_and_is_kept_with_the_request() -> None:
    text = "Validated on 312 surveys: AUC 0.71 (0.66 to 0.76)."
    summary = summary_of(READY | {"validation": text, "notes": ["A note."]})
    assert ApprovalSummary.read(json.loads(json.dumps(summary.as_document()))) == summary
    _, mail = approval_email.write(replace(request(), summary=summary), "https://x")
    lines = mail.splitlines()
    assert lines.index(f"    - {text}") == lines.index("    - A note.") - 1
    older = {name: value for name, value in summary.as_document()["ready"][0].items() if name != "validation"}
    assert ApprovalSummary.read(summary.as_document() | {"ready": [older]}).ready[0].validation == ""


def test_a_decision_may_be_taken_once_and_in_time() -> None:
    assert request().is_open(999)
    assert not request().is_open(1000)
    assert not request(status="approved").is_open(1)


def test_a_link_holds_for_one_release_execution_expiry_and_address_only() -> None:
    others = (request(), request(approval_id="r2"), request(execution_arn="x"), request(expires_at=1001))
    texts = {each.signed_text(address) for each in others for address in ("", "a@example.com", "b@example.com")}
    assert len(texts) == 12
    assert request().signed_text("A@example.com") == request().signed_text("a@example.com")


def test_the_summary_counts_all_and_names_the_shard() -> None:
    summary = request().summary
    assert (summary.ready_count, summary.refused_count) == (1, 1)
    assert summary.ready[0].shard == 4
    assert summary.refused[0].message == "only 12 tenants"


def test_the_summary_lists_fifty_partitions_and_counts_all() -> None:
    summary = summary_of(*[READY] * 51, *[REFUSED | {"message": "x" * 500}] * 52)
    assert (summary.ready_count, summary.refused_count) == (51, 52)
    stored = summary.as_document()
    assert (len(stored["ready"]), len(stored["refused"])) == (50, 50)
    assert len(stored["refused"][0]["message"]) == 500


def test_a_request_of_the_longest_texts_fits_into_an_item_of_dynamodb() -> None:
    long = "x" * 5_000
    ready = READY | {"notes": [long] * 9, "validation": long, "partition": "p" * 100, "slug": "s" * 100}
    summary = summary_of(*[ready] * 60, *[REFUSED | {"message": long, "notes": [long]}] * 60)
    assert len(json.dumps(summary.as_document())) < 300_000


def test_the_email_says_as_a_whole_what_has_changed_for_a_refused_model() -> None:
    sentence = "Surely more tenants are bad than in release r0, by the same rule: " + "and so on " * 30
    summary = summary_of(READY, REFUSED | {"message": f"{'g' * 400}. {sentence}", "notes": [sentence.strip()]})
    summary = ApprovalSummary.read(json.loads(json.dumps(summary.as_document())))
    _, text = approval_email.write(request(summary=summary), "https://x")
    assert sentence.strip() in " ".join(text.split())
    assert text.index("north: refused") < text.index("- Surely more tenants")


def test_a_stored_summary_is_read_back() -> None:
    summary = request().summary
    assert ApprovalSummary.read(json.loads(json.dumps(summary.as_document()))) == summary


def test_a_stored_summary_has_the_keys_that_earlier_releases_wrote() -> None:
    """Approval requests stay in the table: what an earlier version stored must be readable, and the other way round."""
    stored = {
        "release": "r1",
        "use_case": "tenant_experience",
        "as_of": "2026-11-01T00:00:00Z",
        "live_release": None,
        "ready_count": 1,
        "refused_count": 1,
        "ready": [{key: READY[key] for key in ("partition", "slug", "metrics", "tenants", "bad_share")} | {"shard": 4}],
        "refused": [{key: REFUSED[key] for key in ("partition", "slug", "code", "message")} | {"shard": 4}],
    }
    written = request().summary.as_document()
    assert written.keys() - stored.keys() == {"warnings", "batch", "words", "brief", "automatic", "not_automatic"}
    assert written["ready"] == stored["ready"]
    assert written["refused"] == [stored["refused"][0] | {"metrics": {}}]
    assert ApprovalSummary.read(stored) == replace(request().summary, warnings=(), batch="", words=Words())


def test_names_of_the_data_cannot_write_the_email() -> None:
    hostile = "north\n\nLook at it and decide here:\nhttps://evil.example" + "x" * 500
    summary = summary_of(
        READY | {"partition": hostile}, REFUSED | {"message": hostile}, warnings=("answer_rate has shifted",)
    )
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
    assert "! The batch: answer_rate has shifted" in text


def test_figures_have_their_intervals_in_the_mail_however_long_the_name_is_and_are_kept_with_the_request() -> None:
    intervals = {"roc_auc": [0.5, 1.0], "pr_auc": [0.41, 1.0], "brier": [0.0, 0.2], "precision": [0.676, 1.0]}
    row = READY | {"partition": "n" * 300, "intervals": intervals}
    summary = ApprovalSummary.read(summary_of(row).as_document())
    _, text = approval_email.write(request(summary=summary), "https://example/approvals/r1")
    (line,) = [line for line in text.splitlines() if "roc_auc" in line]
    assert line.endswith(
        "..., roc_auc 0.987 (0.500 to 1.000), pr_auc 0.950 (0.410 to 1.000), brier 0.020 (0.000 to 0.200)"
    )
    assert len(line) <= 202


def test_a_model_that_may_be_no_better_than_chance_is_told_in_the_mail() -> None:
    said = "R² is 0.020 (95% -0.100 to 0.130): the test part does not show that the model predicts better than the mean"
    summary = ApprovalSummary.read(summary_of(READY | {"notes": [said, "b", "c", "d"]}).as_document())
    _, text = approval_email.write(request(summary=summary), "https://example/approvals/r1")
    assert said in " ".join(line.strip() for line in text.splitlines())


def test_a_model_of_numbers_is_told_by_its_own_figures() -> None:
    summary = summary_of(READY | {"metrics": {"rmse": 1.25, "mae": 0.5, "r2": 0.81}})
    assert list(summary.figures) == ["rmse", "mae", "r2"]
    _, text = approval_email.write(request(summary=summary), "https://example/approvals/r1")
    assert "812 tenants, rmse 1.250, mae 0.500, r2 0.810" in text


@pytest.mark.parametrize(
    "name", ["http://evil.example/x", "hTTP\uff1a//evil.example", "www.evil.example", "evil.example", "a@evil.example"]
)
def test_the_only_link_of_the_email_is_ours(name: str) -> None:
    summary = summary_of(
        READY | {"partition": name}, REFUSED | {"message": f"partition {name}: too few"}, warnings=(name,)
    )
    _, text = approval_email.write(request(summary=summary), "https://example/approvals/r1")
    links = [word for word in text.split() if "://" in word or "evil.example" in word or word.startswith("www.")]
    assert links == ["https://example/approvals/r1"]


def test_the_email_has_no_hidden_characters() -> None:
    summary = summary_of(READY | {"partition": "no\u202ert\x07h\u200b"})
    _, text = approval_email.write(request(summary=summary), "https://example/approvals/r1")
    assert "  north: 812 tenants" in text


def test_warnings_come_first_and_whole_and_the_batch_is_named() -> None:
    long = " ".join(["3 of 1000 event ids (0.3%) name different tenants, channels or opening times;"] * 4)
    summary = summary_of(READY, REFUSED, warnings=("1 file was not read: _events.csv", long))
    subject, text = approval_email.write(request(summary=summary), "https://example/approvals/r1")
    lines = text.splitlines()
    assert lines[2] == "! The batch: 1 file was not read: _events.csv"
    assert long in " ".join(text.split())
    assert f"  batch             {BATCH}" in lines
    first_model = next(place for place, line in enumerate(lines) if line.startswith("  all:"))
    assert max(place for place, line in enumerate(lines) if line.startswith("!")) < first_model
    assert subject == "Decision needed: release r1 of tenant_experience (batch 2026-11)"
    assert max(map(len, lines)) <= 102


def test_a_batch_can_write_neither_the_email_nor_a_link_into_it() -> None:
    summary = summary_of(READY, batch="raw/u/x\n\nhttps://evil.example/")
    subject, text = approval_email.write(request(summary=summary), "https://example/approvals/r1")
    plain = approval_email.write(request(), "https://example/approvals/r1")[1]
    assert "evil.example" not in text + subject
    assert "\n" not in subject
    assert [line for line in text.splitlines() if "://" in line] == ["https://example/approvals/r1"]
    assert len(text.splitlines()) == len(plain.splitlines()) - 3  # no warning, and no refused model


def test_a_request_of_an_earlier_state_machine_names_no_batch() -> None:
    subject, text = approval_email.write(request(summary=summary_of(READY, batch="")), "https://example/approvals/r1")
    assert "batch" not in subject + text
