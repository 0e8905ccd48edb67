"""SNS e-mail: subscriptions wait for their confirmation, and confirmed ones get the messages that their filter lets by.

MiniStack confirms e-mail subscriptions at once and sends them nothing. Templates create subscriptions without a call of
``Subscribe``, so both ways end with ``_ask_for_confirmation``, which finds the new ones.
"""

from __future__ import annotations

import functools
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

from ministack.services import sns
from ministack.services.cloudformation import provisioners

from local_aws.ministack_patches.sns import filter_policies

_PROTOCOLS = ("email", "email-json")
_RESOURCE_TYPES = ("AWS::SNS::Topic", "AWS::SNS::Subscription")
Response = tuple[int, dict[str, str], bytes]
Handler = Callable[..., Awaitable[Response]]
Parameters = Mapping[str, list[str]]


class Postman(Protocol):
    """Writes and keeps the messages."""

    def confirmation(self, *, to: str, topic_arn: str, token: str) -> None:
        """Ask the owner of an address whether they want a topic's messages."""

    def notification(self, *, to: str, topic_arn: str, subject: str, body: str, unsubscribe_arn: str | None) -> None:
        """Deliver a published message; with ``unsubscribe_arn`` it carries a link that unsubscribes."""


def install(postman: Postman) -> None:
    """Wrap SNS's subscription calls and fan-out, and CloudFormation's topics and subscriptions."""
    sweep = functools.partial(_ask_for_confirmation, postman)
    sns.handle_request = _answering(sns.handle_request, sweep)
    sns._fanout = _fanning_out(sns._fanout, postman)
    sns.logger.addFilter(_without_its_text)
    for resource_type in _RESOURCE_TYPES:
        handlers = provisioners._RESOURCE_HANDLERS[resource_type]
        for verb in ("create", "update"):
            handlers[verb] = _sweeping(handlers[verb], sweep)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SNS::Subscription"]
    for verb, position in {"create": 1, "update": 2}.items():
        handlers[verb] = _checking(handlers[verb], position)


def confirm(topic_arn: str, token: str) -> bool:
    """Confirm without credentials, as the link in the message does. False when the token is not valid."""
    given = {"TopicArn": [topic_arn], "Token": [token]}
    status, _headers, body = sns._confirm_subscription(given)
    if status == 200:
        _note_confirmation(given, body)
    return bool(status == 200)


def unsubscribe(subscription_arn: str) -> bool:
    """Unsubscribe as the link in the message does. False when it does not exist, or is protected."""
    subscription = _subscription(subscription_arn)
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


def _without_its_text(record: logging.LogRecord) -> bool:
    """The log line of a published message without its text, which may hold a code or a link."""
    if "publish to" in record.msg and isinstance(record.args, tuple):
        record.args = (*record.args[:-1], "(its text is in the mailbox)")
    return True


def _sweeping(handler: Callable[..., Any], sweep: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(handler)  # CloudFormation looks at the signature
    def handle(*arguments: Any, **named: Any) -> Any:
        outcome = handler(*arguments, **named)
        sweep()
        return outcome

    return handle


def _checking(handler: Callable[..., Any], position: int) -> Callable[..., Any]:
    """A template's subscription with its filter policy checked."""

    @functools.wraps(handler)
    def handle(*arguments: Any, **named: Any) -> Any:
        props = arguments[position]
        fault = filter_policies.fault(props.get("FilterPolicy") or "", props.get("FilterPolicyScope", ""))
        if fault is not None:
            raise ValueError(f"Invalid parameter: {fault}")
        return handler(*arguments, **named)

    return handle


def _refusal(given: Parameters) -> Response | None:
    """SNS's refusal of a filter policy, or of attributes other than those that a subscription has already."""
    action = _first(given, "Action")
    if action == "SetSubscriptionAttributes":
        known = (_subscription(_first(given, "SubscriptionArn")) or {"attributes": {}})["attributes"]
        asked = {**known, _first(given, "AttributeName"): _first(given, "AttributeValue")}
    elif action == "Subscribe":
        asked = _asked_attributes(given)
    else:
        return None
    fault = filter_policies.fault(asked.get("FilterPolicy", ""), asked.get("FilterPolicyScope", ""))
    if fault is None and action == "Subscribe" and _differs(given, asked):
        fault = "Attributes Reason: Subscription already exists with different attributes"
    refused: Response = sns._error("InvalidParameter", f"Invalid parameter: {fault}", 400)
    return None if fault is None else refused


def _asked_attributes(given: Parameters) -> dict[str, str]:
    found, index = {}, 1
    while name := _first(given, f"Attributes.entry.{index}.key"):
        found[name] = _first(given, f"Attributes.entry.{index}.value")
        index += 1
    return found


def _differs(given: Parameters, asked: Mapping[str, str]) -> bool:
    """Whether the endpoint is subscribed already, with other attributes."""
    topic = sns._topic_by_arn_any_scope(_first(given, "TopicArn")) or {"subscriptions": []}
    same = (_first(given, "Protocol"), _first(given, "Endpoint"))
    existing = next((each for each in topic["subscriptions"] if (each["protocol"], each["endpoint"]) == same), None)
    return existing is not None and any(existing["attributes"].get(name, "") != asked[name] for name in asked)


def _answering(handle_request: Handler, sweep: Callable[[], None]) -> Handler:
    """SNS's answers, with e-mail subscriptions as AWS shows them."""

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Response:
        given = {**query, **parse_qs(body.decode(errors="replace"))}
        refused = _refusal(given)
        if refused is not None:
            return refused
        response = await handle_request(method, path, headers, body, query)
        if response[0] != 200:
            return response
        status, answered, content = response
        match _first(given, "Action"):
            case "Subscribe" if _first(given, "Protocol") in _PROTOCOLS:
                content = _after_subscribing(given, content, sweep)
            case "ConfirmSubscription":
                _note_confirmation(given, content)
            case "ListSubscriptions" | "ListSubscriptionsByTopic":
                content = _without_pending_arns(content)
        return status, answered, content

    return handle


def _after_subscribing(given: Parameters, content: bytes, sweep: Callable[[], None]) -> bytes:
    arn = _arn_in(content)
    subscription = _subscription(arn) or {}
    if not subscription["confirmed"]:
        subscription.pop("asked", None)  # subscribing again sends the message again
    sweep()
    if subscription["confirmed"] or _first(given, "ReturnSubscriptionArn") == "true":
        return content
    return content.replace(arn.encode(), b"pending confirmation")


def _note_confirmation(given: Parameters, content: bytes) -> None:
    """Whether only signed requests may unsubscribe. MiniStack always says so, and then no link could unsubscribe."""
    subscription = _subscription(_arn_in(content))
    if subscription is not None:
        asked = _first(given, "AuthenticateOnUnsubscribe").lower()
        subscription["attributes"]["ConfirmationWasAuthenticated"] = "true" if asked == "true" else "false"


def _without_pending_arns(content: bytes) -> bytes:
    """AWS shows no ARN until a subscription is confirmed."""
    for topic in sns._topics.values():
        for subscription in topic["subscriptions"]:
            if not subscription["confirmed"]:
                shown = f"<SubscriptionArn>{subscription['arn']}</SubscriptionArn>".encode()
                content = content.replace(shown, b"<SubscriptionArn>PendingConfirmation</SubscriptionArn>")
    return content


def _subscription(arn: str) -> dict[str, Any] | None:
    found = (each for topic in sns._topics.values() for each in topic["subscriptions"] if each["arn"] == arn)
    return next(found, None)


def _arn_in(content: bytes) -> str:
    return content.decode().partition("<SubscriptionArn>")[2].partition("</SubscriptionArn>")[0]


def _first(given: Parameters, name: str) -> str:
    """A parameter of the query protocol, which holds each as a list; empty when it is not there."""
    return str(given.get(name, [""])[0])


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
