"""The mailbox: every e-mail that SNS would send, as an RFC 5322 file."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlencode

_SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"
_ID = re.compile(r"[0-9]{19,20}-[0-9a-f]{8}")
_LINK = re.compile(r"https?://[^\s<>\"']+")
_EXECUTE_API = re.compile(r"https://([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?(/[^\s<>\"']*)?")
_NOT_IN_A_LINK = ".,;:!?)]}"


@dataclass(frozen=True)
class Mail:
    """One message as a reader sees it."""

    id: str
    to: str
    sender: str
    subject: str
    date: datetime
    text: str


class Mailbox:
    """Messages in one folder, one file each, named so that the newest sorts last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, *, to: str, subject: str, text: str) -> None:
        """Write a message as ``<nanoseconds>-<random>.eml``."""
        message = EmailMessage(policy=policy.SMTP)
        message["From"] = _SENDER
        message["To"] = to
        message["Subject"] = " ".join(subject.split())
        message["Date"] = format_datetime(datetime.now().astimezone())
        message["Message-ID"] = make_msgid(domain="sns.amazonaws.com")
        message.set_content(text)
        name = f"{time.time_ns()}-{secrets.token_hex(4)}"
        unfinished = self._folder / f".{name}"
        unfinished.write_bytes(message.as_bytes())
        unfinished.rename(self._folder / f"{name}.eml")

    def newest_first(self) -> list[Mail]:
        """Every message."""
        return [_read(path) for path in sorted(self._folder.glob("*.eml"), reverse=True)]

    def get(self, mail_id: str) -> Mail | None:
        """One message, or None."""
        path = self._folder / f"{mail_id}.eml"
        return _read(path) if _ID.fullmatch(mail_id) and path.exists() else None


class SnsPostman:
    """Writes the messages of SNS's e-mail subscriptions."""

    def __init__(self, mailbox: Mailbox, url: str) -> None:
        self._mailbox = mailbox
        self._url = url

    def confirmation(self, *, to: str, topic_arn: str, token: str) -> None:
        """Write the message that asks to confirm a new subscription."""
        given = {"TopicArn": topic_arn, "Token": token, "Endpoint": to}
        link = f"{self._url}/_local/subscriptions/confirm?{urlencode(given)}"
        text = (
            f"You have chosen to subscribe to the topic:\n{topic_arn}\n\n"
            f"To confirm this subscription, visit the link below (if this was in error, do nothing):\n{link}\n"
        )
        self._mailbox.put(to=to, subject="AWS Notification - Subscription Confirmation", text=text)

    def notification(self, *, to: str, topic_arn: str, subject: str, body: str, unsubscribe_arn: str | None) -> None:
        """Write a published message with SNS's footer."""
        footer = f"\n--\nSent through the topic {topic_arn}.\n"
        if unsubscribe_arn is not None:
            given = {"SubscriptionArn": unsubscribe_arn, "Endpoint": to}
            link = f"{self._url}/_local/subscriptions/unsubscribe?{urlencode(given)}"
            footer += (
                "If you wish to stop receiving notifications from this topic, visit the link below to unsubscribe:\n"
                f"{link}\n"
            )
        self._mailbox.put(to=to, subject=subject or "AWS Notification Message", text=f"{body}\n{footer}")


def links_in(text: str) -> list[str]:
    """Every URL in a text, in order, without the punctuation of the sentence around it."""
    return [match.group().rstrip(_NOT_IN_A_LINK) for match in _LINK.finditer(text)]


def working_here(link: str, url: str) -> str:
    """A link that works on this machine, where the name of an execute-api host does not resolve.

    Args:
        link: e.g. ``https://<api>.execute-api.us-east-1.amazonaws.com/v1/approvals/1``.
        url: this server's, e.g. ``http://127.0.0.1:4566``.
    """
    match = _EXECUTE_API.fullmatch(link)
    return f"{url}/_aws/execute-api/{match[1]}{match[2] or ''}" if match else link


def _read(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    return Mail(
        id=path.stem,
        to=str(message["To"]),
        sender=str(message["From"]),
        subject=str(message["Subject"]),
        date=parsedate_to_datetime(str(message["Date"])),
        text=str(message.get_content()).replace("\r\n", "\n"),
    )
