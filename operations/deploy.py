"""Build the application, deploy it to the laptop's AWS, and confirm what the stack has subscribed."""

from __future__ import annotations

import fcntl
from urllib.parse import parse_qs, urlsplit

import boto3

from operations import approvers
from operations.errors import OperationError
from operations.laptop import LOCAL, Laptop, run_tool
from operations.mailbox import Mailbox
from operations.stack import STACK_NAME, Stack, read_stack
from tenant_experience.aws.approvers import subscriptions

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
    """Confirm what the stack has subscribed, each with the link of its own e-mail. False when nothing waits for it.

    These are the operators' subscription and the first approver's. The calls are signed and ask for
    AuthenticateOnUnsubscribe; a link that is opened in a mailbox would make nobody an approver.
    """
    waiting = [
        (topic, each.address)
        for topic in (stack.outputs["TopicArn"], approvers.topic_of(stack))
        for each in subscriptions(topic, boto3.client("sns"))
        if not each.arn
    ]
    for topic, address in waiting:
        approvers.confirm(stack, _link(Mailbox(stack.mailbox_url), topic, address))
    return bool(waiting)


def _link(mailbox: Mailbox, topic: str, address: str) -> str:
    """The link of the newest e-mail that asks an address to confirm its subscription to a topic."""
    mailbox.wait_for("Subscription Confirmation")
    wanted = {"TopicArn": [topic], "Endpoint": [address]}
    links = (link for message in mailbox.messages() for link in message["links"])
    found = next((link for link in links if parse_qs(urlsplit(link).query).items() >= wanted.items()), None)
    if found is None:
        raise OperationError(f"no e-mail asks {address} to confirm its subscription to {topic}")
    return str(found)
