"""Build the application, deploy it to the laptop's AWS, and confirm the approver's subscription."""

from __future__ import annotations

import fcntl
from urllib.parse import parse_qs, urlsplit

import boto3

from operations.laptop import LOCAL, Laptop, run_tool
from operations.mailbox import Mailbox
from operations.stack import STACK_NAME, Stack, read_stack

_SAM = LOCAL / "venvs" / "sam" / "bin" / "sam"


def build_and_deploy(laptop: Laptop) -> Stack:
    """``sam build`` and ``sam deploy``, the tools that deploy to an account.

    Raises:
        OperationError: one of them failed.
    """
    log = LOCAL / "sam.log"
    with (LOCAL / "sam.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # what is built is in one folder, whichever stack it is for
        log.write_text("")
        for command in ("build", "deploy"):
            words = [str(_SAM), command, "--config-env", "local"]
            run_tool(words, failure=f"sam {command} failed", log=log, appends=True)
    return read_stack(STACK_NAME, laptop)


def confirm_subscription(stack: Stack) -> bool:
    """Confirm the approver's subscriptions with the tokens of their e-mails. False when they were confirmed before.

    The calls are signed and ask for AuthenticateOnUnsubscribe. Otherwise every e-mail would carry a link that
    unsubscribes the approver when anybody, or any mail scanner, opens it.
    """
    topics = (stack.outputs["TopicArn"], stack.outputs["ApprovalTopicArn"])
    confirmed = [_confirm(stack, topic) for topic in topics]
    return any(confirmed)


def _confirm(stack: Stack, topic: str) -> bool:
    sns = boto3.client("sns")
    subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    if all(subscription["SubscriptionArn"].startswith("arn:") for subscription in subscriptions):
        return False
    mail = Mailbox(stack.mailbox_url).wait_for("Subscription Confirmation", text=f"{topic}\n")
    token = parse_qs(urlsplit(mail["links"][0]).query)["token"][0]
    sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    return True
