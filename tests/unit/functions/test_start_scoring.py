"""StartScoring: what it starts, and what it refuses by e-mail. AWS is replaced by what it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from tenant_experience.aws import executions, notifications, objects, release_table
from tenant_experience.errors import UserError
from tenant_experience.release.release import LiveRelease
from tenant_experience.use_case import files as use_case_files
from tests.support.function_module import function_module

LIVE = LiveRelease.of_models("r1", "2026-11-01T00:00:00Z", 1, {"all": "r1"})


class Aws:
    """Takes what the function does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, live: set[str]) -> None:
        self.started: list[dict[str, Any]] = []
        self.written: list[str] = []
        self.mails: list[tuple[str, str]] = []
        monkeypatch.setenv("DATA_BUCKET", "bucket")
        monkeypatch.setattr(release_table, "read_live", lambda name: LIVE if name in live else None)
        monkeypatch.setattr(executions, "start", lambda _name, given: self.started.append(given))
        monkeypatch.setattr(objects, "write_once", lambda _bucket, key, _content: self.written.append(key))
        monkeypatch.setattr(notifications, "send", lambda subject, text: self.mails.append((subject, text)))
        handler = function_module("start_scoring").handler
        self.handle = lambda event: handler(event, None)


def uploaded(use_case: str = "tenant_experience") -> dict[str, Any]:
    stored = {"key": f"score/{use_case}/b1/manifest.json", "version-id": "v1"}
    return {"detail-type": "Object Created", "time": "2026-11-29T10:00:00Z", "detail": {"object": stored}}


def test_a_batch_keeps_the_use_case_and_starts_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws(monkeypatch, {"tenant_experience"})
    (run,) = aws.handle(uploaded())["runs"]
    (given,) = aws.started
    assert (given["run"], given["kind"], given["batch"]) == (run, "batch", "b1")
    assert f"use_cases/{run}/use_case.yaml" in aws.written
    assert aws.mails == []


@pytest.mark.parametrize(
    ("use_case", "code"),
    [("telecom_churn", "no_live_release"), ("nothing", "unknown_use_case"), ("N", "not_a_manifest")],
)
def test_a_batch_that_nothing_answers_for_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, use_case: str, code: str
) -> None:
    aws = Aws(monkeypatch, {"tenant_experience"})
    assert aws.handle(uploaded(use_case)) == {"runs": [], "code": code}
    ((subject, text),) = aws.mails
    assert subject == f"Not scored: score/{use_case}/b1/manifest.json"
    assert f"Error: UserError.{code}" in text
    assert (aws.started, aws.written) == ([], [])


def test_a_night_scores_the_use_cases_that_have_a_live_release(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws(monkeypatch, {"tenant_experience", "telecom_churn"})
    aws.handle({"detail-type": "Nightly Scoring", "time": "2026-11-29T03:00:00Z", "detail": {}})
    assert {(given["use_case"], given["batch"]) for given in aws.started} == {
        ("tenant_experience", "nightly-2026-11-29"),
        ("telecom_churn", "nightly-2026-11-29"),
    }


def test_a_release_scores_everybody_and_history_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws(monkeypatch, {"tenant_experience"})
    event = {"detail-type": "Step Functions Execution Status Change", "time": "2026-11-29T10:00:00Z"}
    given = '{"use_case": "tenant_experience"}'
    assert aws.handle({**event, "detail": {"input": given, "output": '{"release": "r1"}'}}) == {"runs": []}
    aws.handle({**event, "detail": {"input": given, "output": '{"release": "r1", "models": 1}'}})
    assert [(run["kind"], run["batch"]) for run in aws.started] == [("live", "release-r1")]


def test_a_night_goes_on_when_one_use_case_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws(monkeypatch, {"tenant_experience", "telecom_churn"})
    find = use_case_files.find

    def broken(name: str) -> dict[str, bytes]:
        if name == "telecom_churn":
            raise UserError("it is broken", code="unknown_use_case")
        return dict(find(name))

    monkeypatch.setattr(use_case_files, "find", broken)
    answer = aws.handle({"detail-type": "Nightly Scoring", "time": "2026-11-29T03:00:00Z", "detail": {}})
    assert [given["use_case"] for given in aws.started] == ["tenant_experience"]
    assert (len(answer["runs"]), answer["code"]) == (1, "unknown_use_case")
    assert [subject for subject, _ in aws.mails] == ["Not scored: telecom_churn: nightly-2026-11-29"]
