"""SNS e-mail: subscriptions wait for their confirmation, and confirmed ones get real messages.

MiniStack's e-mail subscriptions are born confirmed and receive nothing. Templates make subscriptions past
``Subscribe``, so each way in ends with ``_ask_for_confirmation`` over what is new.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from ministack.services import sns
from ministack.services.cloudformation import provisioners

_PROTOCOLS = ("email", "email-json")
_RESOURCE_TYPES = ("AWS::SNS::Topic", "AWS::SNS::Subscription")
Response = tuple[int, dict[str, str], bytes]


class Postman(Protocol):
    """Who writes and keeps the messages."""

    def confirmation(self, *, to: str, topic_arn: str, token: str) -> None:
        """Ask the owner of an address whether they want a topic's messages."""

    def notification(self, *, to: str, topic_arn: str, subject: str, body: str, unsubscribe_arn: str | None) -> None:
        """Deliver a published message; with ``unsubscribe_arn`` it carries a link that unsubscribes."""


def install(postman: Postman) -> None:
    """Wrap SNS's subscription calls and fan-out, and CloudFormation's topics and subscriptions."""
    sweep = functools.partial(_ask_for_confirmation, postman)
    sns._subscribe = _subscribing(sns._subscribe, sweep)
    sns._confirm_subscription = _confirming(sns._confirm_subscription)
    sns._list_subscriptions = _hiding_pending(sns._list_subscriptions)
    sns._list_subscriptions_by_topic = _hiding_pending(sns._list_subscriptions_by_topic)
    sns._fanout = _fanning_out(sns._fanout, postman)
    for resource_type in _RESOURCE_TYPES:
        handlers = provisioners._RESOURCE_HANDLERS[resource_type]
        for verb in ("create", "update"):
            handlers[verb] = _sweeping(handlers[verb], sweep)


def confirm(topic_arn: str, token: str) -> bool:
    """Confirm as the link in the message does: without credentials. False when the token is not, or no more, valid."""
    status: int = sns._confirm_subscription({"TopicArn": [topic_arn], "Token": [token]})[0]
    return status == 200


def unsubscribe(subscription_arn: str) -> bool:
    """Unsubscribe as the link in the message does. False when there is no such subscription, or it is protected."""
    topic_arn = sns._sub_arn_to_topic.get(subscription_arn)
    subscription = sns._find_subscription(topic_arn, subscription_arn) if topic_arn else None
    if subscription is None or subscription["attributes"]["ConfirmationWasAuthenticated"] == "true":
        return False
    sns._unsubscribe({"SubscriptionArn": [subscription_arn]})
    return True


def _ask_for_confirmation(postman: Postman) -> None:
    """Make every new e-mail subscription pending and send its message."""
    for topic in sns._topics.values():
        for subscription in topic["subscriptions"]:
            if subscription["protocol"] not in _PROTOCOLS or "asked" in subscription:
                continue
            token = secrets.token_hex(64)
            subscription.update(asked=True, confirmed=False, token=token)
            subscription["attributes"].update(
                SubscriptionArn=subscription["arn"],
                TopicArn=topic["arn"],
                Protocol=subscription["protocol"],
                Endpoint=subscription["endpoint"],
                Owner=subscription["owner"],
                PendingConfirmation="true",
                ConfirmationWasAuthenticated="false",
            )
            postman.confirmation(to=subscription["endpoint"], topic_arn=topic["arn"], token=token)
        sns._refresh_subscription_counts(topic)


def _sweeping(handler: Callable[..., Any], sweep: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(handler)  # CloudFormation looks at the signature
    def handle(*arguments: Any, **named: Any) -> Any:
        outcome = handler(*arguments, **named)
        sweep()
        return outcome

    return handle


def _subscribing(subscribe: Callable[..., Response], sweep: Callable[[], None]) -> Callable[..., Response]:
    def handle(params: dict[str, Any]) -> Response:
        status, headers, body = subscribe(params)
        is_email = sns._p(params, "Protocol") in _PROTOCOLS
        if status != 200 or not is_email:
            return status, headers, body
        arn = body.decode().partition("<SubscriptionArn>")[2].partition("</SubscriptionArn>")[0]
        topic_arn = sns._sub_arn_to_topic[arn]
        subscription = sns._find_subscription(topic_arn, arn)
        if not subscription["confirmed"]:
            subscription.pop("asked", None)  # subscribing again sends the message again
        sweep()
        wants_arn = sns._p(params, "ReturnSubscriptionArn") == "true"
        if not subscription["confirmed"] and not wants_arn:
            body = body.replace(arn.encode(), b"pending confirmation")
        return status, headers, body

    return handle


def _confirming(confirm_subscription: Callable[..., Response]) -> Callable[..., Response]:
    def handle(params: dict[str, Any]) -> Response:
        status, headers, body = confirm_subscription(params)
        if status == 200:
            arn = body.decode().partition("<SubscriptionArn>")[2].partition("</SubscriptionArn>")[0]
            subscription = sns._find_subscription(sns._sub_arn_to_topic[arn], arn)
            # MiniStack says "true" always; then nobody could unsubscribe by a link.
            asked = sns._p(params, "AuthenticateOnUnsubscribe").lower()
            subscription["attributes"]["ConfirmationWasAuthenticated"] = "true" if asked == "true" else "false"
        return status, headers, body

    return handle


def _hiding_pending(list_subscriptions: Callable[..., Response]) -> Callable[..., Response]:
    """AWS shows no ARN until a subscription is confirmed."""

    def handle(params: dict[str, Any]) -> Response:
        status, headers, body = list_subscriptions(params)
        for topic in sns._topics.values():
            for subscription in topic["subscriptions"]:
                if not subscription["confirmed"]:
                    shown = f"<SubscriptionArn>{subscription['arn']}</SubscriptionArn>".encode()
                    body = body.replace(shown, b"<SubscriptionArn>PendingConfirmation</SubscriptionArn>")
        return status, headers, body

    return handle


def _fanning_out(fanout: Callable[..., None], postman: Postman) -> Callable[..., None]:
    def handle(
        topic_arn: str,
        message_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        message_attributes: dict[str, Any] | None = None,
        **named: Any,
    ) -> None:
        fanout(topic_arn, message_id, message, subject, message_structure, message_attributes, **named)
        topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
        for subscription in topic["subscriptions"]:
            if subscription["protocol"] not in _PROTOCOLS or not subscription["confirmed"]:
                continue
            body = sns._resolve_message_for_protocol(message, message_structure, subscription["protocol"])
            if not sns._matches_filter_policy(subscription, message_attributes or {}, body):
                continue
            if subscription["protocol"] == "email-json":
                body = sns._build_envelope(topic_arn, message_id, body, subject, message_attributes or {}, False)
            is_protected = subscription["attributes"].get("ConfirmationWasAuthenticated") == "true"
            postman.notification(
                to=subscription["endpoint"],
                topic_arn=topic_arn,
                subject=subject,
                body=body,
                unsubscribe_arn=None if is_protected else subscription["arn"],
            )

    return handle
