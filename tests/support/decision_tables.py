"""The tables of requests and of the audit, and a key, on moto."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import decisions, executions, link_signature, notifications, objects, release_table
from tenant_experience.errors import PlatformError, UserError

_CLIENTS = (objects.s3, release_table.dynamodb, link_signature.kms)


@contextmanager
def decision_tables() -> Iterator[Answers]:
    """Everything that a decision is written to, once for a module; what the execution that waits receives is given."""
    with mock_aws(), pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for client in _CLIENTS:
            client.cache_clear()
        key = boto3.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        settings = {"RELEASE_TABLE": "releases", "AUDIT_TABLE": "audit", "LINK_KEY": key, "DATA_BUCKET": "data"}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="data")
        _create("releases", ["id"], by_use_case=["use_case", "requested_at"])
        _create("audit", ["release", "at"])
        answers = Answers()
        monkeypatch.setattr(executions, "answer", answers.take)
        monkeypatch.setattr(decisions, "_LOOK_SECONDS", 0)
        monkeypatch.setattr(notifications, "send_to", lambda *mail: answers.mails.append(mail))
        yield answers
        for client in _CLIENTS:
            client.cache_clear()


def empty(answers: Answers) -> None:
    """Removes what a test has written."""
    for table, keys in (("releases", ["id"]), ("audit", ["release", "at"])):
        for item in release_table.dynamodb().scan(TableName=table)["Items"]:
            release_table.dynamodb().delete_item(TableName=table, Key={key: item[key] for key in keys})
    answers.clear()


def _create(name: str, keys: list[str], **indexes: list[str]) -> None:
    schema = {each: _key_schema(attributes) for each, attributes in indexes.items()}
    used = sorted({*keys, *(attribute for attributes in indexes.values() for attribute in attributes)})
    more: Any = (
        {
            "GlobalSecondaryIndexes": [
                {"IndexName": each, "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
                for each, keys in schema.items()
            ]
        }
        if schema
        else {}
    )
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in used],
        KeySchema=_key_schema(keys),
        **more,
    )


def _key_schema(attributes: list[str]) -> Any:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": each, "KeyType": kind} for each, kind in zip(attributes, kinds, strict=False)]


def audited(release: str = "r1") -> list[dict[str, Any]]:
    """The rows of the audit about a release, in their order."""
    found = release_table.dynamodb().scan(TableName="audit")["Items"]
    rows = [{name: value["S"] for name, value in item.items()} for item in found if item["release"]["S"] == release]
    return [{**row, **json.loads(row.pop("details"))} for row in sorted(rows, key=lambda row: row["at"])]


class Answers:
    """The executions that wait: each token is taken once.

    Attributes:
        taken: token -> what it received.
        ended: tokens that nobody waits for.
        unreachable: how many of the next calls fail.
        mails: address, subject and text of each e-mail to an approver, the newest last.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self.taken: dict[str, dict[str, Any]] = {}
        self.ended: set[str] = set()
        self.unreachable = 0
        self.mails: list[tuple[str, str, str]] = []

    @property
    def code(self) -> str:
        """Of the newest e-mail."""
        found = re.search(r"\b[0-9]{4} [0-9]{4}\b", self.mails[-1][2])
        assert found is not None
        return found[0]

    def take(self, token: str, output: dict[str, Any]) -> None:
        """As ``executions.answer`` does."""
        if self.unreachable:
            self.unreachable -= 1
            raise PlatformError("throttled", code="not_delivered")
        if token in self.ended or token in self.taken:
            raise UserError("nobody waits", code="nobody_waits")
        self.taken[token] = output
