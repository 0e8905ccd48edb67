"""SNS e-mail: nothing without a confirmation, then real messages and links that work here."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from local_aws.tests.server.machines import eventually


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def inbox(server: dict[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    return lambda: json.loads(fetch(f"{server['mailbox_url']}.json")[1])


@pytest.fixture
def topic(client: Callable[..., Any], request: pytest.FixtureRequest) -> str:
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[-60:]
    return str(client("sns").create_topic(Name=name)["TopicArn"])


def subscribe(client: Callable[..., Any], topic: str, to: str) -> str:
    made = client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=to, ReturnSubscriptionArn=True)
    return str(made["SubscriptionArn"])


def test_a_subscription_waits_until_anybody_opens_its_link(client: Any, topic: str, inbox: Any) -> None:
    sns = client("sns")
    assert sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")["SubscriptionArn"] == (
        "pending confirmation"
    )
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    sns.publish(TopicArn=topic, Subject="too early", Message="x")
    mail = inbox()[0]
    assert (mail["to"], mail["subject"]) == ("a@example.com", "AWS Notification - Subscription Confirmation")

    (link,) = mail["links"]
    assert fetch(link)[0] == 200  # what a mail scanner does
    arn = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert attributes["PendingConfirmation"] == attributes["ConfirmationWasAuthenticated"] == "false"
    assert fetch(link)[0] == 400  # used


def test_published_messages_are_files_and_pages(
    client: Any, topic: str, inbox: Any, server: dict[str, Any], state_folder: Path
) -> None:
    subscribe(client, topic, "b@example.com")
    fetch(inbox()[0]["links"][0])
    link = "https://abc123.execute-api.us-east-1.amazonaws.com/v1/approvals/7?mac=x&y=1"
    client("sns").publish(TopicArn=topic, Subject="Décision?", Message=f"<b>Look</b> at {link}.")
    mail = inbox()[0]
    here = f"{server['url']}/_aws/execute-api/abc123/v1/approvals/7?mac=x&y=1"
    assert (mail["to"], mail["subject"], mail["links"][0]) == ("b@example.com", "Décision?", here)
    log = (state_folder / "server.log").read_text()
    assert f"publish to {topic}" in log
    assert "Look" not in log  # a text may hold a code or a link that decides

    status, page = fetch(mail["url"])
    assert status == 200
    assert "&lt;b&gt;Look&lt;/b&gt;" in page
    assert f'href="{here.replace("&", "&amp;")}"' in page
    assert "Décision?" in fetch(server["mailbox_url"])[1]

    raw = (state_folder / "mail" / f"{mail['id']}.eml").read_bytes()
    message = message_from_bytes(raw, policy=policy.default)
    assert (message["To"], message["Subject"]) == ("b@example.com", "Décision?")
    assert link in message.get_content()


def test_an_authenticated_subscription_cannot_be_ended_by_a_link(client: Any, topic: str, inbox: Any) -> None:
    sns = client("sns")
    open_arn = subscribe(client, topic, "open@example.com")
    fetch(inbox()[0]["links"][0])
    arn = subscribe(client, topic, "kept@example.com")
    token = inbox()[0]["links"][0].partition("Token=")[2].partition("&")[0]
    sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["ConfirmationWasAuthenticated"] == "true"
    sns.publish(TopicArn=topic, Message="hello")
    latest = {mail["to"]: mail for mail in inbox()[:2]}
    assert latest["kept@example.com"]["links"] == []
    assert latest["open@example.com"]["subject"] == "AWS Notification Message"
    (unsubscribe,) = latest["open@example.com"]["links"]
    assert fetch(unsubscribe.replace(open_arn.rpartition(":")[2], arn.rpartition(":")[2]))[0] == 400
    assert fetch(unsubscribe)[0] == 200  # a mail scanner is enough
    (left,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert left["SubscriptionArn"] == arn


def test_each_subscriber_gets_the_messages_that_its_filter_lets_by(client: Any, topic: str, inbox: Any) -> None:
    sns = client("sns")
    for to in ("ada@example.com", "Bob@example.com"):
        named = {"Attributes": {"FilterPolicy": json.dumps({"to": [to]})}, "ReturnSubscriptionArn": True}
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=to, **named)
        fetch(inbox()[0]["links"][0])
    before = len(inbox())
    for to in ("ada@example.com", "Bob@example.com", "bob@example.com", "nobody@example.com"):
        attributes = {"to": {"DataType": "String", "StringValue": to}}
        sns.publish(TopicArn=topic, Subject=f"for {to}", Message="x", MessageAttributes=attributes)
    sns.publish(TopicArn=topic, Subject="for all", Message="x")
    got = [(mail["to"], mail["subject"]) for mail in inbox()[:-before]]
    assert got == [("Bob@example.com", "for Bob@example.com"), ("ada@example.com", "for ada@example.com")]


@pytest.mark.parametrize(
    "policy",
    [
        "nonsense",
        "[]",
        '{"to": "ada@example.com"}',
        '{"to": []}',
        '{"to": [{"prefix": 1}]}',
        '{"to": [{"like": "a"}]}',
        '{"to": [["a"]]}',
        '{"to": {"address": ["a"]}}',
        json.dumps({str(number): ["a"] for number in range(6)}),
        json.dumps({"a": list(range(13)), "b": list(range(12))}),
    ],
    ids=[str(number) for number in range(10)],
)
def test_a_malformed_filter_is_refused_wherever_it_is_set(client: Any, topic: str, policy: str) -> None:
    sns = client("sns")
    given = {"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"}
    with pytest.raises(sns.exceptions.InvalidParameterException, match="FilterPolicy"):
        sns.subscribe(**given, Attributes={"FilterPolicy": policy})
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    arn = subscribe(client, topic, "a@example.com")
    with pytest.raises(sns.exceptions.InvalidParameterException, match="FilterPolicy"):
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=policy)
    assert "FilterPolicy" not in sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


def test_subscribing_again_with_another_filter_is_refused(client: Any, topic: str) -> None:
    subscribe(client, topic, "a@example.com")
    sns = client("sns")
    given = {"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"}
    with pytest.raises(sns.exceptions.InvalidParameterException, match="different attributes"):
        sns.subscribe(**given, Attributes={"FilterPolicy": '{"to": ["a@example.com"]}'})


def test_a_templates_subscription_waits_too(client: Any, inbox: Any) -> None:
    template: dict[str, Any] = {
        "Resources": {
            "Topic": {
                "Type": "AWS::SNS::Topic",
                "Properties": {"Subscription": [{"Protocol": "email", "Endpoint": "inline@example.com"}]},
            },
            "Own": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {
                    "TopicArn": {"Ref": "Topic"},
                    "Protocol": "email",
                    "Endpoint": "own@example.com",
                    "FilterPolicy": {"to": ["own@example.com"]},
                },
            },
        },
        "Outputs": {"Topic": {"Value": {"Ref": "Topic"}}},
    }
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="mail", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="mail", WaiterConfig={"Delay": 1})
    arn = cloudformation.describe_stacks(StackName="mail")["Stacks"][0]["Outputs"][0]["OutputValue"]
    listed = client("sns").list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert [entry["SubscriptionArn"] for entry in listed] == ["PendingConfirmation"] * 2
    attributes = client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    assert (attributes["SubscriptionsPending"], attributes["SubscriptionsConfirmed"]) == ("2", "0")
    assert {mail["to"] for mail in inbox()[:2]} == {"inline@example.com", "own@example.com"}
    own = next(mail for mail in inbox()[:2] if mail["to"] == "own@example.com")
    fetch(own["links"][0])
    before = len(inbox())
    client("sns").publish(TopicArn=arn, Message="to nobody in particular")
    to_own = {"to": {"DataType": "String", "StringValue": "own@example.com"}}
    client("sns").publish(TopicArn=arn, Message="x", MessageAttributes=to_own)
    assert [mail["to"] for mail in inbox()[:-before]] == ["own@example.com"]
    template["Resources"]["Own"]["Properties"]["FilterPolicy"] = {"to": "own@example.com"}
    cloudformation.create_stack(StackName="bad-filter", TemplateBody=json.dumps(template))

    def refused() -> bool:
        events = cloudformation.describe_stack_events(StackName="bad-filter")["StackEvents"]
        return any("must be an array" in event.get("ResourceStatusReason", "") for event in events)

    eventually(refused)


def test_mail_ids_are_not_paths(server: dict[str, Any]) -> None:
    assert fetch(f"{server['mailbox_url']}/..%2F..%2Fenv")[0] == 404
