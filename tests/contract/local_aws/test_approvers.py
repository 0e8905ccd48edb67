"""The list of approvers, by the commands that keep it, on an SNS that acts on its links when anybody opens them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from operations import approvers
from operations.errors import OperationError
from operations.stack import Stack

Client = Callable[..., Any]
Inbox = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def stack(client: Client, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack's two topics, and boto3 as an operator has it."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, env[name])
    monkeypatch.setenv("AWS_DEFAULT_REGION", env["AWS_REGION"])
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    sns = client("sns")
    topics = {name: sns.create_topic(Name=name)["TopicArn"] for name in ("requests", "notices")}
    yield Stack("te", {"TopicArn": topics["notices"], "ApprovalTopicArn": topics["requests"]}, (), None)
    for topic in topics.values():
        sns.delete_topic(TopicArn=topic)


@pytest.fixture
def inbox(server: dict[str, Any]) -> Inbox:
    """The messages to one address, the newest first."""

    def messages(to: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{server['mailbox_url']}.json", timeout=10) as answer:  # noqa: S310
            return [mail for mail in json.load(answer) if mail["to"] == to]

    return messages


def follow(links: list[str]) -> None:
    """What a mail scanner does."""
    for link in links:
        try:
            urllib.request.urlopen(link, timeout=10).close()  # noqa: S310
        except urllib.error.HTTPError:
            continue


def states(stack: Stack) -> dict[str, str]:
    return {each.address: each.state for each in approvers.listed(stack)}


def test_an_approver_is_added_confirmed_asked_alone_and_removed(stack: Stack, client: Client, inbox: Inbox) -> None:
    assert "Nobody should open its link" in approvers.add(stack, "ada@example.com")
    assert states(stack) == {"ada@example.com": "waits for its confirmation"}
    (link,) = inbox("ada@example.com")[0]["links"]
    assert approvers.confirm(stack, link).startswith("ada@example.com is an approver now")
    approvers.add(stack, "bob@example.com")
    token = inbox("bob@example.com")[0]["links"][0].partition("Token=")[2].partition("&")[0]
    approvers.confirm(stack, token)
    assert states(stack) == {"ada@example.com": "approver", "bob@example.com": "approver"}
    with pytest.raises(OperationError, match="is an approver already"):
        approvers.add(stack, "Ada@example.com")

    to_ada = {"to": {"DataType": "String", "StringValue": "ada@example.com"}}
    topic = stack.outputs["ApprovalTopicArn"]
    client("sns").publish(TopicArn=topic, Subject="for Ada", Message="x", MessageAttributes=to_ada)
    assert inbox("ada@example.com")[0]["subject"] == "for Ada"
    assert inbox("bob@example.com")[0]["subject"] == "AWS Notification - Subscription Confirmation"

    assert "not asked any more" in approvers.remove(stack, "ada@example.com")
    assert "Nobody is an approver now" in approvers.remove(stack, "BOB@example.com")
    assert states(stack) == {}


def test_a_scanner_that_follows_every_link_confirms_and_ends_nobody(stack: Stack, client: Client, inbox: Inbox) -> None:
    topic = stack.outputs["ApprovalTopicArn"]
    approvers.add(stack, "carl@example.com")
    follow(inbox("carl@example.com")[0]["links"])
    assert states(stack) == {"carl@example.com": "does not count: the link of its e-mail was opened"}
    with pytest.raises(OperationError, match="tenx approvers add ADDRESS"):  # the token is used up
        approvers.confirm(stack, inbox("carl@example.com")[0]["links"][0])
    approvers.add(stack, "carl@example.com")
    approvers.confirm(stack, inbox("carl@example.com")[0]["links"][0])
    assert states(stack) == {"carl@example.com": "approver"}
    to_carl = {"to": {"DataType": "String", "StringValue": "carl@example.com"}}
    client("sns").publish(TopicArn=topic, Subject="for Carl", Message="x", MessageAttributes=to_carl)
    follow([link for mail in inbox("carl@example.com") for link in mail["links"]])
    assert states(stack) == {"carl@example.com": "approver"}


def test_what_cannot_be_confirmed_is_said_in_a_sentence(stack: Stack, client: Client) -> None:
    other = client("sns").create_topic(Name="other")["TopicArn"]
    for text, words in {
        "yes please": "neither the link of a confirmation e-mail nor its token",
        "a" * 64: "SNS refused the confirmation",
        f"https://sns.us-east-1.amazonaws.com/confirmation.html?TopicArn={other}&Token={'a' * 64}": "of the topic",
    }.items():
        with pytest.raises(OperationError, match=words):
            approvers.confirm(stack, text)
    for address in ("ada", "ada@example", "a b@example.com", "ada@example.com\nBcc: x@example.com"):
        with pytest.raises(OperationError, match="is not an e-mail address"):
            approvers.add(stack, address)
    with pytest.raises(OperationError, match="is not subscribed"):
        approvers.remove(stack, "ada@example.com")
