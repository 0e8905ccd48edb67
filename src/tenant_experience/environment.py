"""The settings of a function, read when they are needed, so that an error names the wrong one."""

from __future__ import annotations

import os

from tenant_experience.errors import PlatformError


def setting(name: str) -> str:
    """The environment variable ``name``.

    Raises:
        PlatformError: ``missing_setting`` when it is absent or empty.
    """
    value = os.environ.get(name, "")
    if not value:
        raise PlatformError(
            f"environment variable {name} is not set; set it under Environment in template.yaml", code="missing_setting"
        )
    return value


def whole_number(name: str) -> int:
    """The environment variable ``name`` as a whole number.

    Raises:
        PlatformError: ``missing_setting`` or ``bad_setting``.
    """
    text = setting(name)
    try:
        return int(text)
    except ValueError as error:
        raise PlatformError(
            f"environment variable {name} is {text!r}, not a whole number", code="bad_setting"
        ) from error
