"""Task tokens from which the checks of rights know which state machine made them, even when it no longer waits."""

from __future__ import annotations

import base64
import binascii
import secrets


def new(machine_arn: str) -> str:
    """A token that nobody can guess, in AWS's form: opaque, and under 1,024 characters."""
    return base64.b64encode(f"{secrets.token_hex(32)} {machine_arn}".encode()).decode()


def state_machine(token: str) -> str | None:
    """The ARN of the machine that made a token; None for any other text."""
    try:
        text = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    arn = text.partition(" ")[2]
    return arn if arn.startswith("arn:") else None
