"""Task tokens that tell, to those who check rights, which state machine made them, long after it stopped waiting."""

from __future__ import annotations

import base64
import binascii
import secrets


def new(machine_arn: str) -> str:
    """A token nobody can guess, of the form AWS's have: opaque, under 1,024 characters."""
    return base64.b64encode(f"{secrets.token_hex(32)} {machine_arn}".encode()).decode()


def state_machine(token: str) -> str | None:
    """The ARN of the machine a token came from; None for what is no token of ours."""
    try:
        text = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    arn = text.partition(" ")[2]
    return arn if arn.startswith("arn:") else None
