"""Who is asked to decide: list the approvers of a stack, add one, confirm what was added, and remove one.

SNS keeps them, as the e-mail subscriptions of the topic of requests. Only a subscription that a signed call confirmed
counts, because a link in an e-mail is opened by mail scanners too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.exceptions import ClientError
from rich.console import Console

from operations.errors import OperationError
from operations.stack import Stack
from tenant_experience.aws import approvers
from tenant_experience.release.approver import Subscription, approver_id

_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+")
_TOKEN = re.compile(r"[0-9A-Za-z-]{20,600}")
_SENT = (
    "SNS sends {address} a confirmation e-mail. Nobody should open its link: ask for it, and run "
    "`tenx approvers confirm 'LINK'` within two days. Only then {address} is asked about releases."
)


@dataclass(frozen=True)
class Confirmation:
    """What a confirmation says.

    Attributes:
        topic: the ARN that the link names; empty where only the token was given.
        token: the secret of the e-mail.
    """

    topic: str
    token: str

    @classmethod
    def of(cls, text: str) -> Confirmation:
        """The link of the e-mail, or its token alone.

        Raises:
            OperationError: it is neither.
        """
        query = parse_qs(urlsplit(text.strip()).query)
        token = query.get("Token", [text.strip()])[0]
        if not _TOKEN.fullmatch(token):
            raise OperationError(
                "this is neither the link of a confirmation e-mail nor its token: copy the whole link, and put it into "
                "quotation marks, because it contains &"
            )
        return cls(query.get("TopicArn", [""])[0], token)


def topic_of(stack: Stack) -> str:
    """The topic of requests.

    Raises:
        OperationError: the stack was deployed from an earlier version of the template.
    """
    if "ApprovalTopicArn" not in stack.outputs:
        raise OperationError(f"stack {stack.name} has no topic of requests: deploy this version of the template first")
    return stack.outputs["ApprovalTopicArn"]


def listed(stack: Stack) -> list[Subscription]:
    """Everybody who is subscribed, whether it counts or not."""
    return approvers.subscriptions(topic_of(stack), boto3.client("sns"))


def add(stack: Stack, address: str) -> str:
    """Subscribe an address; what happens next, as a sentence.

    A subscription that does not count is ended first: SNS sends no second confirmation for it.

    Raises:
        OperationError: this is not an address, or it is an approver already.
    """
    if len(address) > 254 or not _ADDRESS.fullmatch(address):
        raise OperationError(f"{address!r} is not an e-mail address")
    topic, sns = topic_of(stack), boto3.client("sns")
    for each in _of(address, listed(stack)):
        if each.approver is not None:
            raise OperationError(f"{each.address} is an approver already")
        if each.arn:
            sns.unsubscribe(SubscriptionArn=each.arn)
    sns.subscribe(
        TopicArn=topic,
        Protocol="email",
        Endpoint=address,
        Attributes={"FilterPolicy": json.dumps(approvers.filter_policy(address))},
    )
    return _SENT.format(address=address)


def confirm(stack: Stack, text: str) -> str:
    """Confirm a subscription of the stack by a signed call; who is an approver now, as a sentence.

    The same protects the operators' subscription from the links in their own e-mails.

    Args:
        stack: whose.
        text: the link of the confirmation e-mail, or its token.

    Raises:
        OperationError: the link is of another topic, was used, or is too old.
    """
    given, topic = Confirmation.of(text), topic_of(stack)
    known = (topic, stack.outputs["TopicArn"])
    if given.topic and given.topic not in known:
        raise OperationError(f"this link is of the topic {given.topic}, which is none of stack {stack.name}")
    sns: Any = boto3.client("sns")
    try:
        answer = sns.confirm_subscription(
            TopicArn=given.topic or topic, Token=given.token, AuthenticateOnUnsubscribe="true"
        )
    except ClientError as error:
        raise OperationError(
            f"SNS refused the confirmation ({error.response['Error']['Message']}): its link was opened, or it is older "
            "than two days. `tenx approvers list` shows what is subscribed, and `tenx approvers add ADDRESS` sends a "
            "new confirmation"
        ) from error
    arn = answer["SubscriptionArn"]
    if given.topic == stack.outputs["TopicArn"]:
        return "The operators' subscription is confirmed, and no link in an e-mail can end it."
    found = next((each for each in listed(stack) if each.arn == arn), None)
    if found is None or found.approver is None:
        address = found.address if found else "ADDRESS"
        raise OperationError(
            f"{address} is subscribed, but {found.state if found else 'it ended at once'}. `tenx approvers add "
            f"{address}` ends this subscription, and sends a new confirmation whose link nobody should open"
        )
    return f"{found.address} is an approver now: it is asked about every release that begins from now on."


def remove(stack: Stack, address: str) -> str:
    """End the subscriptions of an address; what that means, as a sentence.

    Raises:
        OperationError: it is not subscribed.
    """
    found = _of(address, listed(stack))
    if not found:
        raise OperationError(f"{address} is not subscribed: `tenx approvers list` shows who is")
    sns = boto3.client("sns")
    for each in found:
        if each.arn:
            sns.unsubscribe(SubscriptionArn=each.arn)
    if not any(each.arn for each in found):
        return f"{address} never confirmed. SNS forgets the subscription by itself within three days."
    left = [each for each in listed(stack) if each.approver is not None]
    sentence = f"{address} is not asked any more, and gets no codes for links that it was sent before."
    return sentence if left else f"{sentence} Nobody is an approver now: a new release ends before its first job."


def show(stack: Stack, found: Sequence[Subscription], console: Console) -> None:
    """Print who is subscribed."""
    if not found:
        console.print(f"Nobody is subscribed to the topic of requests of {stack.describe()}.")
    width = max((len(each.address) for each in found), default=0)
    for each in found:
        console.print(f"{each.address:<{width}}  {each.state}", markup=False)
    if not any(each.approver for each in found):
        console.print("Nobody can be asked: `tenx approvers add ADDRESS` subscribes an address.")


def document(each: Subscription) -> dict[str, object]:
    """A subscription as JSON."""
    return {
        "address": each.address,
        "id": approver_id(each.address),
        "approver": each.approver is not None,
        "state": each.state,
    }


def _of(address: str, found: Sequence[Subscription]) -> list[Subscription]:
    """The subscriptions of an address, in whatever case it was written."""
    return [each for each in found if approver_id(each.address) == approver_id(address)]
