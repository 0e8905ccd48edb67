"""Everyone who was asked is told once, whatever fails in between; the operators too, when somebody else reads those."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns import sns_backends

from tenant_experience.aws import link_signature, notifications, release_table, sent_notices
from tenant_experience.errors import PlatformError
from tests.support.function_module import function_module
from tests.support.places import ROOT

EVENT: dict[str, Any] = json.loads((ROOT / "events" / "notify_outcome.json").read_text())
ADA, BEN, OPERATOR = "ada@example.com", "ben@example.com", "operator@example.com"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with mock_aws():
        for client in (link_signature.kms, release_table.dynamodb, notifications.sns):
            client.cache_clear()
        key = boto3.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
        boto3.client("dynamodb").create_table(
            TableName="releases",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        settings = {
            "LINK_KEY": key["KeyId"],
            "API_URL": "https://api.example/v1",
            "RELEASE_TABLE": "releases",
            "USE_CASE": "tenant_experience",
            "TOPIC": boto3.client("sns").create_topic(Name="releases")["TopicArn"],
            "APPROVAL_TOPIC": boto3.client("sns").create_topic(Name="approvals")["TopicArn"],
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield function_module("notify_outcome")
        for client in (link_signature.kms, release_table.dynamodb, notifications.sns):
            client.cache_clear()


def ask(*addresses: str) -> None:
    asked = [{"M": {"address": {"S": each}, "id": {"S": each[:3]}}} for each in addresses]
    boto3.client("dynamodb").put_item(
        TableName="releases",
        Item={
            "id": {"S": f"approval#{EVENT['release']}"},
            "execution_arn": {"S": "arn:execution"},
            "expires_at": {"N": "1796551320"},
            "asked": {"L": asked},  # type: ignore[typeddict-item]
        },
    )


def operate(topic: str, address: str) -> None:
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=address)


def sent() -> list[tuple[str, str, str]]:
    """Recipient, subject and text of every e-mail in its order; the recipient of the operators' is theirs."""
    notes = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics
    found = []
    for arn, topic in notes.items():
        for _, text, subject, attributes, *_ in topic.sent_notifications:
            to = attributes["to"]["Value"] if attributes else arn.rpartition(":")[2]
            found.append((to, subject, text))
    return found


def recipients() -> list[str]:
    return sorted(to for to, _, _ in sent())


def test_everyone_is_told_once_however_often_it_is_called(app: ModuleType) -> None:
    ask(ADA, BEN)
    assert app.handler(EVENT, None) == {"release": EVENT["release"], "sent": 2}
    assert app.handler(EVENT, None) == {"release": EVENT["release"], "sent": 0}
    assert recipients() == [ADA, BEN]
    subjects = {subject for _, subject, _ in sent()}
    assert subjects == {f"Release {EVENT['release']}: it was rejected (batch november)"}
    assert all("/runs/" in text and "take-back" not in text for _, _, text in sent())


def test_each_approver_of_a_released_one_has_a_link_of_their_own_to_take_it_back(app: ModuleType) -> None:
    ask(ADA, BEN)
    app.handler({**EVENT, "status": "released", "models": 1}, None)
    links = {to: text.rpartition("\n")[2] for to, _, text in sent()}
    for address in (ADA, BEN):
        assert f"/approvals/{EVENT['release']}/take-back?to={address[:3]}&signature=" in links[address]
        text = f"take-back\n{EVENT['release']}\narn:execution\n1796551320\n{address}".encode()
        link_signature.check(text, links[address].rpartition("=")[2])
    assert links[ADA].rpartition("=")[2] != links[BEN].rpartition("=")[2]


def test_operators_who_were_not_asked_are_told_without_such_a_link(app: ModuleType) -> None:
    ask(ADA)
    operate(notifications.setting("TOPIC"), OPERATOR)
    app.handler({**EVENT, "status": "released", "models": 1}, None)
    assert recipients() == [ADA, "releases"]
    assert "take-back" not in next(text for to, _, text in sent() if to == "releases")


def test_an_operator_who_was_asked_is_told_once(app: ModuleType) -> None:
    ask(ADA)
    operate(notifications.setting("TOPIC"), "Ada@Example.com")
    app.handler(EVENT, None)
    assert recipients() == [ADA]


def test_nobody_was_asked_then_the_operators_are_told(app: ModuleType) -> None:
    operate(notifications.setting("TOPIC"), OPERATOR)
    app.handler(EVENT, None)
    assert recipients() == ["releases"]


def test_one_who_cannot_be_reached_keeps_nobody_from_being_told(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(ADA, BEN)
    publish, failures = notifications.sns().publish, [ADA]

    def sometimes(**given: Any) -> Any:
        if given["MessageAttributes"]["to"]["StringValue"] in failures:
            raise ClientError({"Error": {"Code": "Throttled"}}, "Publish")
        return publish(**given)

    monkeypatch.setattr(notifications.sns(), "publish", sometimes)
    with pytest.raises(ClientError):
        app.handler(EVENT, None)
    assert recipients() == [BEN]
    failures.clear()
    app.handler(EVENT, None)
    assert recipients() == [ADA, BEN]


def test_another_end_of_the_same_release_is_told_too(app: ModuleType) -> None:
    """It expired, was redriven, and was then approved."""
    ask(ADA)
    app.handler({**EVENT, "status": "expired"}, None)
    app.handler({**EVENT, "status": "released"}, None)
    assert recipients() == [ADA, ADA]


def test_two_attempts_at_the_same_time_send_one(app: ModuleType) -> None:
    assert app is not None
    tried: list[str] = []

    def send() -> None:
        tried.append("first")
        with pytest.raises(PlatformError, match="being_sent"):
            sent_notices.send_once("n", lambda: tried.append("second"))

    assert sent_notices.send_once("n", send)
    assert not sent_notices.send_once("n", lambda: tried.append("third"))
    assert tried == ["first"]


def test_an_attempt_that_died_loses_nothing(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claim ends."""
    assert app is not None
    release_table.dynamodb().put_item(
        TableName="releases", Item={"id": {"S": "notice#n"}, "claimed_until": {"N": "1000"}}
    )
    monkeypatch.setattr(sent_notices.time, "time", lambda: 999)
    with pytest.raises(PlatformError, match="being_sent"):
        sent_notices.send_once("n", lambda: None)
    monkeypatch.setattr(sent_notices.time, "time", lambda: 1001)
    assert sent_notices.send_once("n", lambda: None)


def test_a_batch_that_trained_nothing_is_told_to_the_operators_once(app: ModuleType) -> None:
    event = {"release": EVENT["release"], "status": "served", "subject": "Answered", "text": "Release r answers.\n"}
    assert [app.handler(event, None)["sent"] for _ in range(2)] == [1, 0]
    [(to, subject, text)] = sent()
    assert (to, subject) == ("releases", "Answered")
    assert text.startswith(
        "Release r answers.\n\nThe whole run, from its start to its end:\nhttps://api.example/v1/runs/"
    )
