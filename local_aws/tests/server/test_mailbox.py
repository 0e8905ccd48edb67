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


def fetch(url: str, *, post: bool = False) -> tuple[int, str]:
    request = urllib.request.Request(url, data=b"" if post else None)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def inbox(server: dict[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    return lambda: json.loads(fetch(f"{server['mailbox_url']}.json")[1])


@pytest.fixture
def topic(client: Callable[..., Any], request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("_", "-")[:60]
    return str(client("sns").create_topic(Name=name)["TopicArn"])


def subscribe(client: Callable[..., Any], topic: str, to: str) -> str:
    made = client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=to, ReturnSubscriptionArn=True)
    return str(made["SubscriptionArn"])


def test_a_subscription_waits_for_a_pressed_button(client: Any, topic: str, inbox: Any) -> None:
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
    status, page = fetch(link)  # what a mail scanner does
    assert status == 200
    assert '<form method="post">' in page
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"] == (
        "PendingConfirmation"
    )
    assert fetch(link, post=True)[0] == 200
    arn = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert attributes["PendingConfirmation"] == attributes["ConfirmationWasAuthenticated"] == "false"
    assert fetch(link, post=True)[0] == 400  # used


def test_published_messages_are_files_and_pages(
    client: Any, topic: str, inbox: Any, server: dict[str, Any], state_folder: Path
) -> None:
    subscribe(client, topic, "b@example.com")
    fetch(inbox()[0]["links"][0], post=True)
    link = "https://abc123.execute-api.us-east-1.amazonaws.com/v1/approvals/7?mac=x&y=1"
    client("sns").publish(TopicArn=topic, Subject="Décision?", Message=f"<b>Look</b> at {link}.")
    mail = inbox()[0]
    here = f"{server['url']}/_aws/execute-api/abc123/v1/approvals/7?mac=x&y=1"
    assert (mail["to"], mail["subject"], mail["links"][0]) == ("b@example.com", "Décision?", here)

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
    fetch(inbox()[0]["links"][0], post=True)
    arn = subscribe(client, topic, "kept@example.com")
    token = inbox()[0]["links"][0].rpartition("token=")[2]
    sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["ConfirmationWasAuthenticated"] == "true"
    sns.publish(TopicArn=topic, Message="hello")
    latest = {mail["to"]: mail for mail in inbox()[:2]}
    assert latest["kept@example.com"]["links"] == []
    assert latest["open@example.com"]["subject"] == "AWS Notification Message"
    (unsubscribe,) = latest["open@example.com"]["links"]
    assert fetch(unsubscribe)[0] == 200
    assert fetch(unsubscribe.replace(open_arn.rpartition(":")[2], arn.rpartition(":")[2]), post=True)[0] == 400
    assert fetch(unsubscribe, post=True)[0] == 200
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1


def test_a_templates_subscription_waits_too(client: Any, inbox: Any) -> None:
    template = {
        "Resources": {
            "Topic": {
                "Type": "AWS::SNS::Topic",
                "Properties": {"Subscription": [{"Protocol": "email", "Endpoint": "inline@example.com"}]},
            },
            "Own": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": "own@example.com"},
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


def test_mail_ids_are_not_paths(server: dict[str, Any]) -> None:
    assert fetch(f"{server['mailbox_url']}/..%2F..%2Fenv")[0] == 404
