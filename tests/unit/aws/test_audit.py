"""Rows of the audit, on moto's DynamoDB, and what the template lets anybody do with them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import audit, release_table
from tests.support.template import properties_of, resources


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    with mock_aws(), pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AUDIT_TABLE", "audit")
        declared = properties_of("AuditTable")
        boto3.client("dynamodb").create_table(
            TableName="audit",
            BillingMode=declared["BillingMode"],
            AttributeDefinitions=declared["AttributeDefinitions"],
            KeySchema=declared["KeySchema"],
        )
        release_table.dynamodb.cache_clear()
        yield
        release_table.dynamodb.cache_clear()


def rows(release: str) -> list[dict[str, Any]]:
    found = boto3.client("dynamodb").scan(TableName="audit")["Items"]
    return [audit.document(item) for item in found if item["release"]["S"] == release]


def test_a_row_says_what_happened_to_whom_and_leaves_out_what_decides() -> None:
    models = {"all": {"version": "r1", "digest": "ab" * 32}}
    audit.append(
        "r1",
        "decided",
        use_case="tenant_experience",
        address="ada@example.com",
        network="203.0.113.7",
        models=models,
        link="https://x/approvals/r1?to=1&signature=c2VjcmV0",
        task_token="AAAA",  # noqa: S106  # to see it left out
        user_agent="x" * 2000,
    )
    (row,) = rows("r1")
    assert {name: row[name] for name in ("release", "event", "use_case", "address", "network")} == {
        "release": "r1",
        "event": "decided",
        "use_case": "tenant_experience",
        "address": "ada@example.com",
        "network": "203.0.113.7",
    }
    assert row["details"]["models"] == models
    assert len(row["details"]["user_agent"]) == audit.MAX_TEXT
    assert "AAAA" not in json.dumps(row)
    assert "c2VjcmV0" not in json.dumps(row)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z#[0-9a-f]{8}", row["at"])


def test_what_somebody_typed_stands_in_a_row_as_a_fingerprint_because_it_may_name_a_tenant() -> None:
    reason = "T000014 is not bad"
    vote = {"name": "Ada L.", "reason": reason, "approved": ["east"], "rejected": {reason: ["west"]}, "empty": ""}
    audit.append("r3", "voted", use_case="te", address="ada@example.com", vote=vote)
    audit.append("r3", "withdrawn", use_case="te", by="operator", reason=reason)
    voted, withdrawn = rows("r3")
    known = audit.fingerprint(reason)
    assert voted["details"]["vote"] == {
        "name": audit.fingerprint("Ada L."),
        "reason": known,
        "approved": ["east"],
        "rejected": {known: ["west"]},
        "empty": "",
    }
    assert withdrawn["details"] == {"by": "operator", "reason": known}
    assert known == "sha256:" + hashlib.sha256(reason.encode()).hexdigest()


def test_a_row_never_takes_the_place_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(["t#1", "t#1", "t#2"])
    monkeypatch.setattr(audit, "moment", lambda _now: next(moments))
    audit.append("r2", "asked", use_case="te", address="ada@example.com")
    audit.append("r2", "opened", use_case="te")
    assert {(row["at"], row["event"]) for row in rows("r2")} == {("t#1", "asked"), ("t#2", "opened")}


def test_moments_sort_by_time() -> None:
    early = audit.moment(datetime(2026, 11, 29, 9, 59, 59, 999999, tzinfo=UTC))
    assert early < audit.moment(datetime(2026, 11, 29, 10, tzinfo=UTC))


def test_nobody_may_change_or_delete_a_row_and_our_roles_may_only_put() -> None:
    (denied,) = properties_of("AuditTable")["ResourcePolicy"]["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Principal"]) == ("Deny", "*")
    assert {"dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"} < set(denied["Action"])
    given = [
        action
        for logical in resources()
        for statement in statements(properties_of(logical))
        if "AuditTable.Arn" in json.dumps(statement.get("Resource"))
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]
    assert set(given) <= {"dynamodb:PutItem"}
    deleting = [
        statement
        for logical in resources()
        for statement in statements(properties_of(logical))
        if "AuditBucket" in json.dumps(statement.get("Resource")) and statement["Effect"] == "Allow"
    ]
    assert [statement["Action"] for statement in deleting] == ["s3:PutObject"]


def statements(properties: Any) -> Iterator[dict[str, Any]]:
    """Every statement below a resource's properties, in whatever kind of policy."""
    if isinstance(properties, dict):
        if {"Effect", "Action"} <= properties.keys():
            yield properties
        properties = list(properties.values())
    if isinstance(properties, list):
        for each in properties:
            yield from statements(each)
