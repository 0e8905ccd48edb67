"""Who can be asked is counted before a job is paid for, on moto's S3 and SNS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tenant_experience.aws import notifications, objects
from tenant_experience.release.approver import ApproverNotSubscribedError
from tests.support.function_module import function_module
from tests.support.places import ROOT

app = function_module("find_approvers")
EVENT = json.loads((ROOT / "events" / "find_approvers.json").read_text())
TRAIN = {"source": "events"}


@pytest.fixture(scope="module", autouse=True)
def _aws() -> Iterator[None]:
    with mock_aws(), pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("DATA_BUCKET", "data")
        boto3.client("s3").create_bucket(Bucket="data")
        for cached in (objects.s3, notifications.sns):
            cached.cache_clear()
        yield
        for cached in (objects.s3, notifications.sns):
            cached.cache_clear()


@pytest.fixture(autouse=True)
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A topic of the test's own."""
    found: str = boto3.client("sns").create_topic(Name="requests")["TopicArn"]
    monkeypatch.setenv("APPROVAL_TOPIC", found)
    yield found
    boto3.client("sns").delete_topic(TopicArn=found)


def batch(manifest: dict[str, Any], use_case: str = "") -> None:
    put = boto3.client("s3").put_object
    put(Bucket="data", Key="use_cases/0f1e2d3c4b5a6978/use_case.yaml", Body=f"name: tenant_experience\n{use_case}")
    put(Bucket="data", Key="raw/tenant_experience/2026-11-29/manifest.json", Body=json.dumps(manifest))


def subscribe(topic: str, *addresses: str, to: str | None = None) -> None:
    for address in addresses:
        policy = {"FilterPolicy": json.dumps({"to": [to or address]})}
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=address, Attributes=policy)


def find(**changed: Any) -> Any:
    return app.handler({**EVENT, **changed}, None)["approvers"]


def test_nobody_to_ask_ends_the_release_and_says_what_helps() -> None:
    batch(TRAIN)
    with pytest.raises(ApproverNotSubscribedError) as ended:
        find()
    assert (
        type(ended.value).__name__ == "ApproverNotSubscribedError"
    )  # by which a Catch, an e-mail and a person know it
    assert "no approvers are confirmed, and the rules of the use case need 1" in str(ended.value)
    assert "`tenx approvers add ADDRESS`" in str(ended.value)


DEAF = {"FilterPolicy": json.dumps({"to": ["deaf@example.com"]}), "FilterPolicyScope": "MessageBody"}
OF_ANOTHER = {"FilterPolicy": json.dumps({"to": ["ada@example.com"]})}
OF_ALL = {"FilterPolicy": json.dumps({"to": [{"exists": True}]})}


@pytest.mark.parametrize("attributes", [{}, OF_ANOTHER, OF_ALL, DEAF])
def test_nobody_is_asked_while_a_link_could_be_read_in_another_mailbox(topic: str, attributes: dict[str, str]) -> None:
    batch(TRAIN)
    sns = boto3.client("sns")
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15555550100")
    subscribe(topic, "ada@example.com")
    assert find() == 1
    arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="deaf@example.com", Attributes=attributes)
    with pytest.raises(ApproverNotSubscribedError, match="1 subscription of the topic of requests may get the links"):
        find()
    sns.unsubscribe(SubscriptionArn=arn["SubscriptionArn"])
    assert find() == 1


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("approval: {quorum: 3}", "2 approvers are confirmed, and the rules of the use case need 3"),
        (
            "approval: {quorum: 2, maker: may_not_decide}",
            "1 approver is confirmed, not counting the person who uploaded the batch, and the rules of the use case",
        ),
    ],
)
def test_the_rules_of_the_use_case_say_how_many_must_be_there(topic: str, rules: str, words: str) -> None:
    subscribe(topic, "ada@example.com", "Maker@Example.com")
    batch(TRAIN, "approval: {quorum: 2, maker: may_decide}")
    assert find() == 2
    batch(TRAIN, rules)
    with pytest.raises(ApproverNotSubscribedError, match=words):
        find()


def test_addresses_that_differ_in_case_alone_are_one_approver(topic: str) -> None:
    subscribe(topic, "Ada@example.com", "ada@EXAMPLE.com", "ben@example.com")
    batch(TRAIN, "approval: {quorum: 2}")
    assert find() == 2
    batch(TRAIN, "approval: {quorum: 3}")
    with pytest.raises(ApproverNotSubscribedError, match="2 approvers are confirmed"):
        find()


@pytest.mark.parametrize(
    ("manifest", "use_case", "live", "asks"),
    [
        ({"train": False}, "", "", False),
        ({"release": "features_only"}, "", "", False),
        (TRAIN, "refresh: auto", "20261101-a", False),
        (TRAIN, "refresh: auto", "", True),
        ({"tuning": True}, "refresh: auto", "20261101-a", True),
        ({"train": True}, "refresh: auto", "20261101-a", True),
        (TRAIN, "", "20261101-a", True),
    ],
)
def test_nobody_is_needed_for_features_alone(manifest: dict[str, Any], use_case: str, live: str, asks: bool) -> None:
    batch(manifest, use_case)
    if asks:
        with pytest.raises(ApproverNotSubscribedError):
            find(live=live)
    else:
        assert find(live=live) is None


def test_a_manifest_that_cannot_be_read_is_left_to_the_job_that_says_why() -> None:
    batch(TRAIN)
    key = "raw/tenant_experience/2026-11-29/manifest.json"
    boto3.client("s3").put_object(Bucket="data", Key=key, Body=b"\xff{")
    assert find() is None
