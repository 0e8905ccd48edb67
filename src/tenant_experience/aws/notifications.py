"""The topics that e-mail about releases: one tells operators, the other asks approvers."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING

import boto3

from tenant_experience.environment import setting

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@cache
def sns() -> SNSClient:
    """One client per process, made on first use."""
    return boto3.client("sns")


def send(subject: str, text: str) -> None:
    """Sends one e-mail to the operators."""
    sns().publish(TopicArn=setting("TOPIC"), Subject=_line(subject), Message=text)


def send_to(address: str, subject: str, text: str) -> None:
    """Sends one e-mail to one approver: the filter of their subscription names the address."""
    sns().publish(
        TopicArn=setting("APPROVAL_TOPIC"),
        Subject=_line(subject),
        Message=text,
        MessageAttributes={"to": {"DataType": "String", "StringValue": address}},
    )


def others_subscribe(addresses: Collection[str]) -> bool:
    """Whether the operators' topic reaches anybody but these: another confirmed address, or a function."""
    topic = setting("TOPIC")
    known = {address.lower() for address in addresses}
    for page in sns().get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic):
        for subscription in page["Subscriptions"]:
            is_confirmed = subscription["SubscriptionArn"].startswith("arn:")
            if is_confirmed and subscription["Endpoint"].lower() not in known:
                return True
    return False


def _line(subject: str) -> str:
    """A subject as SNS allows it: 100 printable ASCII characters on one line."""
    line = re.sub(r"[^\x20-\x7e]+", " ", subject).strip()
    return line if len(line) <= 100 else line[:97] + "..."
