"""Who approves: the confirmed e-mail subscriptions of the topic of requests."""

from __future__ import annotations

from tenant_experience.aws.notifications import sns
from tenant_experience.environment import setting
from tenant_experience.release.approver import Approver


def confirmed() -> list[Approver]:
    """Everybody who can be asked, in the order of their addresses."""
    pages = sns().get_paginator("list_subscriptions_by_topic").paginate(TopicArn=setting("APPROVAL_TOPIC"))
    found = [
        Approver(each["Endpoint"], each["SubscriptionArn"])
        for page in pages
        for each in page["Subscriptions"]
        if each["Protocol"] == "email" and each["SubscriptionArn"].startswith("arn:")
    ]
    return sorted(found, key=lambda approver: approver.address.lower())
