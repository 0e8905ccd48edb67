"""The copies of the audit in S3, on moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import notifications, objects
from tests.support.function_module import function_module
from tests.support.places import ROOT

AUDIT_KEY = "audit/tenant_experience/0f1e2d3c4b5a6978/2026-11-29T12:00:00.000000Z-1a2b3c4d.json"
app = function_module("export_audit")


@pytest.fixture(scope="module", autouse=True)
def _s3() -> Iterator[None]:
    with mock_aws(), pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        objects.s3.cache_clear()
        yield
        objects.s3.cache_clear()


@pytest.fixture(autouse=True)
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of the test's own."""
    name = f"audit-{abs(hash(request.node.name))}"
    boto3.client("s3").create_bucket(Bucket=name)
    monkeypatch.setenv("AUDIT_BUCKET", name)
    return name


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    subjects: list[str] = []
    monkeypatch.setattr(notifications, "send", lambda subject, _text: subjects.append(subject))
    return subjects


def sample(**changed: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / "export_audit.json").read_text())
    event["Records"][0].update(changed)
    return event


def stored(bucket: str) -> dict[str, Any]:
    client = boto3.client("s3")
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys}


def test_a_row_is_copied_once_and_a_repeated_record_changes_nothing(told: list[str], bucket: str) -> None:
    assert app.handler(sample(), None) == {"batchItemFailures": []}
    first = stored(bucket)
    assert list(first) == [AUDIT_KEY]
    assert first[AUDIT_KEY]["event"] == "opened"
    assert first[AUDIT_KEY]["details"] == {"method": "GET"}
    repeated = sample()
    repeated["Records"][0]["dynamodb"]["NewImage"]["event"] = {"S": "decided"}
    assert app.handler(repeated, None) == {"batchItemFailures": []}
    assert stored(bucket) == first
    assert not told


@pytest.mark.parametrize("change", ["MODIFY", "REMOVE"])
def test_a_row_that_somebody_changed_stays_as_it_was_and_operators_are_told(
    change: str, told: list[str], bucket: str
) -> None:
    app.handler(sample(), None)
    record = sample(eventName=change)
    if change == "REMOVE":
        del record["Records"][0]["dynamodb"]["NewImage"]
    for _ in range(2):
        assert app.handler(record, None) == {"batchItemFailures": []}
    assert stored(bucket)[AUDIT_KEY]["event"] == "opened"
    (other,) = stored(bucket).keys() - {AUDIT_KEY}
    assert other.startswith("audit/changed-rows/0f1e2d3c4b5a6978/2026-11-29T12:00:00.000000Z-1a2b3c4d-" + change)
    assert told == ["A row of the audit of 0f1e2d3c4b5a6978 was changed"]


def test_what_is_not_exported_yet_is_repeated_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_BUCKET", "gone")
    assert app.handler(sample(), None) == {"batchItemFailures": [{"itemIdentifier": "100000000000000000001"}]}
