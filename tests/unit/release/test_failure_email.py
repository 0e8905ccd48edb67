from __future__ import annotations

import json

from tenant_experience.release import failure_email
from tests.support.places import ROOT

EVENT = json.loads((ROOT / "events" / "notify_failure.json").read_text())["detail"]


def test_a_user_error_names_file_and_column_and_what_to_do() -> None:
    subject, text = failure_email.write(EVENT)
    assert "UserError.missing_column" in subject
    assert "messages.csv has no column tenant_id" in text
    assert "upload it as a new batch" in text


def test_a_failed_job_is_told_by_its_reason_not_by_its_whole_description() -> None:
    cause = json.dumps(
        {"TrainingJobName": "j", "TrainingJobStatus": "Failed", "FailureReason": "Killed", "Tags": ["x"] * 50}
    )
    _, text = failure_email.write({**EVENT, "error": "States.TaskFailed", "cause": cause})
    assert "Job j is Failed: Killed" in text
    assert "Tags" not in text
    assert "redrive" in text


def test_a_function_that_raised_is_told_by_its_message() -> None:
    cause = json.dumps({"errorType": "PlatformError", "errorMessage": "smoke test", "stackTrace": ["..."]})
    _, text = failure_email.write({**EVENT, "error": "PlatformError", "cause": cause})
    assert "PlatformError: smoke test" in text
    assert "stackTrace" not in text


def test_a_timeout_without_error_or_cause_is_told_by_its_status() -> None:
    subject, _ = failure_email.write({**EVENT, "status": "TIMED_OUT", "error": None, "cause": None})
    assert "TIMED_OUT" in subject


def test_a_name_in_the_cause_is_no_link() -> None:
    _, text = failure_email.write({**EVENT, "cause": "partition http://evil.example\u202e: messages.csv has no rows"})
    assert "partition http[:]//evil[.]example[:] messages.csv has no rows" in text
