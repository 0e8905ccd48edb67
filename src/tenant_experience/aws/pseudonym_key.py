"""The key of pseudonyms, in Secrets Manager, read once per process."""

from __future__ import annotations

import os
from functools import cache

from tenant_experience.aws import secrets


@cache
def read_key() -> bytes | None:
    """The stack's key; None when the stack stores ids as they are.

    Raises:
        PlatformError: ``secret_unavailable``.
    """
    secret = os.environ.get("PSEUDONYM_SECRET", "")
    return secret_key(secret) if secret else None


def secret_key(secret: str) -> bytes:
    """The key in one secret.

    Raises:
        PlatformError: ``secret_unavailable``.
    """
    return secrets.read(secret).encode()
