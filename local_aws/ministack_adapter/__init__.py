"""The only place that touches MiniStack's private names. ``private_names.py`` lists and checks them at start-up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app
from ministack.core import lambda_runtime

from local_aws.ministack_adapter import callers

__all__ = ["administrator_keys", "install", "stop_workers"]

administrator_keys = callers.administrator_keys


def install() -> Callable[..., Awaitable[None]]:
    """Check the private names, mend what is mended, and return MiniStack's ASGI application."""
    callers.install()
    application: Callable[..., Awaitable[None]] = app.app
    return application


def stop_workers() -> None:
    """End every warm Lambda worker and remove its unpacked code."""
    lambda_runtime.reset()


def session_credentials(role_arn: str, session_name: str, service: str) -> dict[str, Any]:
    """See ``callers.session_credentials``."""
    return callers.session_credentials(role_arn, session_name, service)
