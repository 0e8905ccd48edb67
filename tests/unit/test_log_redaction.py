"""Secrets stay out of logs, whatever form they come in."""

from __future__ import annotations

import json
import logging

import pytest

from tenant_experience.log_redaction import RedactingFormatter, redact, redacted_json

SECRET = "AQCEAAAAKgAAAAMAAAAA-x7_Qz.f+/=="  # noqa: S105 - shaped like a task token, and of no task
LEFT_OUT = "(left out of the log)"


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://api.example.com/v1/approvals/r1?signature={SECRET}&x=1",
        f"https://bucket.s3.amazonaws.com/key?X-Amz-Signature={SECRET}",
        f"https://bucket.s3.amazonaws.com/key?X-Amz-Security-Token={SECRET}&a=b",
        f'{{"taskToken": "{SECRET}", "output": "{{}}"}}',
        f"{{'task_token': '{SECRET}'}}",
        json.dumps(json.dumps({"token": SECRET})),
        f"x-api-key: {SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"Authorization={SECRET}",
        f"password={SECRET} user=ada",
    ],
)
def test_a_secret_is_left_out_and_its_name_stays(text: str) -> None:
    assert SECRET not in redact(text)
    assert LEFT_OUT in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "release 20261128-3f80243: 1418 tenants, roc_auc 0.98",
        "tokenised 12 columns: a, b",
        "the signature of the function has changed",
        "column 'api_keyboard' is missing",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_a_line_of_a_function_stays_json_and_keeps_what_is_not_secret() -> None:
    line = redacted_json(
        {
            "message": f'refused "{SECRET[:3]}" ?signature={SECRET}',
            "event": {"taskToken": SECRET, "n": 3},
            "at": {
                1,
            },
        }
    )
    document = json.loads(line)
    assert SECRET not in line
    assert document["event"] == {"taskToken": LEFT_OUT, "n": 3}
    assert document["message"].startswith('refused "AQC" ?signature=')


def test_a_traceback_of_a_job_is_redacted_too() -> None:
    record = logging.LogRecord("job", logging.ERROR, "f.py", 1, "failed: %s", (f"token={SECRET}",), None)
    assert RedactingFormatter("%(message)s").format(record) == f"failed: token={LEFT_OUT}"
