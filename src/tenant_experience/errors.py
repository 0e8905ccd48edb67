"""Whose fault is it? Every error this application raises on purpose is one of three kinds."""

from __future__ import annotations

from functools import partial
from typing import Any


class TenantExperienceError(Exception):
    """The common parent. ``code`` is stable and machine-readable; the message is a sentence for a person.

    Args:
        message: what is wrong, where, and what to do about it. Names of files and columns in it are anybody's: what
            would control a terminal, or cannot be written as UTF-8, becomes ``?``.
        code: ``snake_case``, stable across versions, e.g. ``missing_column``.
    """

    fault = "unknown"

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__("".join(c if c.isprintable() or c in "\n\t" else "?" for c in message))
        self.code = code

    def __str__(self) -> str:
        """Kind first, then code, then the sentence: what job failure reasons and e-mails show."""
        return f"{type(self).__name__}: {self.code}: {self.args[0]}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled with its code, so that it gets from one process to another."""
        return partial(type(self), code=self.code), (self.message,)

    @property
    def message(self) -> str:
        """The sentence alone."""
        return str(self.args[0])


class UserError(TenantExperienceError):
    """Bad data or a bad request: who sent it can mend it."""

    fault = "user"


class AlgorithmError(TenantExperienceError):
    """The data is well formed, but no honest model can be fitted to it."""

    fault = "algorithm"


class PlatformError(TenantExperienceError):
    """AWS, the network, or a bug of ours."""

    fault = "platform"
