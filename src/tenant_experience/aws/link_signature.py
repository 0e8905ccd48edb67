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
from tenant_experience.release import links

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
    return _written(mac)


def _written(mac: bytes) -> str:
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
    # Decoding skips characters that base64 does not have, and the last one has bits that no byte holds.
    if len(mac) != 32 or _written(mac) != signature:
        raise bad_link()
    try:
        kms().verify_mac(KeyId=setting("LINK_KEY"), MacAlgorithm=_ALGORITHM, Message=text, Mac=mac)
    except ClientError as error:
        if error.response["Error"]["Code"] == "KMSInvalidMacException":
            raise bad_link() from error
        raise


def link_to_run(release: str) -> str:
    """The link to the page of a run, for every e-mail about it: whoever has it can read that page.

    Args:
        release: the release's id, or that of a roll-back.
    """
    return f"{setting('API_URL')}/runs/{release}?signature={sign(links.run_text(release))}"


def link_to_take_back(approval_id: str, execution_arn: str, expires_at: int, *, address: str, approver_id: str) -> str:
    """The link by which one approver can take a release back.

    Args:
        approval_id: the request that was approved.
        execution_arn: the execution that asked.
        expires_at: of the request, Unix seconds.
        address: the approver's.
        approver_id: what links call the approver.
    """
    signature = sign(links.take_back_text(approval_id, execution_arn, expires_at, address))
    return f"{setting('API_URL')}/approvals/{approval_id}/take-back?to={approver_id}&signature={signature}"
