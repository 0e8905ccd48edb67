"""Secrets Manager, for values that a deployment hands over and no log may show."""

from __future__ import annotations

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience.errors import PlatformError


def read(secret: str) -> str:
    """The value of a secret, as it is now: a new deployment may have changed it.

    Raises:
        PlatformError: ``secret_unavailable``.
    """
    try:
        found: str = boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    except (ClientError, BotoCoreError) as error:
        raise PlatformError(f"the secret {secret} cannot be read: {error}", code="secret_unavailable") from error
    return found
