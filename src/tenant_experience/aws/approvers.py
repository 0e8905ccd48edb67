"""Who approves: the e-mail subscriptions of the topic of requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tenant_experience.aws.notifications import sns
from tenant_experience.environment import setting
from tenant_experience.release.approver import Approver, Subscription, check_nobody_overhears

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


_SCOPE = "MessageAttributes"


def confirmed() -> list[Approver]:
    """Everybody who can be asked, in the order of their addresses.

    Raises:
        ApproverNotSubscribedError: what is sent to one of them could be read in another mailbox.
    """
    found = subscriptions(setting("APPROVAL_TOPIC"))
    check_nobody_overhears(found)
    return [each.approver for each in found if each.approver is not None]


def subscriptions(topic: str, client: SNSClient | None = None) -> list[Subscription]:
    """Every e-mail subscription of a topic, in the order of their addresses.

    Args:
        topic: its ARN.
        client: the caller's own; None for the one of this process.
    """
    asked = client or sns()
    pages = asked.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    found = [
        _subscription(asked, each["Endpoint"], each["SubscriptionArn"])
        for page in pages
        for each in page["Subscriptions"]
        if each["Protocol"] == "email"
    ]
    return sorted(found, key=lambda each: each.address.lower())


def _subscription(client: SNSClient, address: str, arn: str) -> Subscription:
    if not arn.startswith("arn:"):
        return Subscription(address)
    try:
        attributes: Mapping[str, str] = client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NotFound", "NotFoundException"):  # it ended since it was listed
            return Subscription(address)
        raise
    return Subscription(
        address,
        arn,
        is_authenticated=attributes.get("ConfirmationWasAuthenticated") == "true",
        # A filter of the body lets none of our messages by.
        is_filtered=json.loads(attributes.get("FilterPolicy") or "{}") == filter_policy(address)
        and attributes.get("FilterPolicyScope", _SCOPE) == _SCOPE,
    )


def filter_policy(address: str) -> dict[str, list[str]]:
    """The filter of a subscription: only messages to its own address."""
    return {"to": [address]}
