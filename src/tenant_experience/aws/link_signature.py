"""MACs of links and of forms, made and checked with an HMAC key that never leaves KMS."""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import TYPE_CHECKING, Literal

import boto3
from botocore.exceptions import ClientError

from tenant_experience.environment import setting
from tenant_experience.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_ALGORITHM: Literal["HMAC_SHA_256"] = "HMAC_SHA_256"


@cache
def kms() -> KMSClient:
    """One client per process, made on first use."""
    return boto3.client("kms")


def sign(text: bytes) -> str:
    """The MAC of ``text``, URL-safe."""
    mac = kms().generate_mac(KeyId=setting("LINK_KEY"), MacAlgorithm=_ALGORITHM, Message=text)["Mac"]
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def bad_link() -> UserError:
    """The one refusal for every link that is not ours, whatever is wrong with it."""
    return UserError("this link is not valid: open the complete link from the e-mail", code="bad_link")


def check(text: bytes, signature: str) -> None:
    """Accepts ``signature`` if it is the MAC of ``text``.

    Raises:
        UserError: ``bad_link`` when it is not.
    """
    try:
        mac = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except (binascii.Error, ValueError) as error:
        raise bad_link() from error
    if len(mac) != 32:
        raise bad_link()
    try:
        kms().verify_mac(KeyId=setting("LINK_KEY"), MacAlgorithm=_ALGORITHM, Message=text, Mac=mac)
    except ClientError as error:
        if error.response["Error"]["Code"] == "KMSInvalidMacException":
            raise bad_link() from error
        raise
