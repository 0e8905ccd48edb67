"""The topic of requests on moto: what each approver was sent, and addresses that SNS refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tenant_experience.aws import notifications

_SEND_TO = notifications.send_to


@dataclass
class Topic:
    """What was published.

    Attributes:
        sent: (address, subject) of each message.
        texts: their texts.
        refused: addresses for which SNS fails.
    """

    sent: list[tuple[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def publish(self, params: dict[str, Any], **_: Any) -> None:
        """Sees every call of ``Publish`` before it is made."""
        address = params["MessageAttributes"]["to"]["StringValue"]
        if address in self.refused:
            raise ClientError({"Error": {"Code": "Throttled", "Message": "slow down"}}, "Publish")
        self.sent.append((address, params["Subject"]))
        self.texts.append(params["Message"])

    def clear(self) -> None:
        """Forgets everything."""
        self.sent, self.texts, self.refused = [], [], set()


@contextmanager
def approver_topic() -> Iterator[Topic]:
    """Within moto, the topic that ``notifications.send_to`` publishes to."""
    found = Topic()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("APPROVAL_TOPIC", boto3.client("sns").create_topic(Name="requests")["TopicArn"])
        monkeypatch.setattr(notifications, "send_to", _SEND_TO)  # others may have put something in its place
        monkeypatch.setenv("API_URL", "https://api.example.com/v1")
        notifications.sns.cache_clear()
        notifications.sns().meta.events.register("provide-client-params.sns.Publish", found.publish)
        yield found
        notifications.sns.cache_clear()
