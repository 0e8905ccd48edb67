"""The key of pseudonyms, in Secrets Manager, read once per process."""

from __future__ import annotations

import os
from functools import cache

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience.errors import PlatformError


@cache
def read_key() -> bytes | None:
    """The stack's key; None when the stack stores ids as they are.

    Raises:
        PlatformError: ``key_unavailable``.
    """
    secret = os.environ.get("PSEUDONYM_SECRET", "")
    return secret_key(secret) if secret else None


def secret_key(secret: str) -> bytes:
    """The key in one secret.

    Raises:
        PlatformError: ``key_unavailable``.
    """
    try:
        found: str = boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    except (ClientError, BotoCoreError) as error:
        raise PlatformError(f"the key of pseudonyms cannot be read: {error}", code="key_unavailable") from error
    return found.encode()
