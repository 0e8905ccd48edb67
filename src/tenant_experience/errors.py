"""The errors of this application: three kinds, by whose fault they are."""

from __future__ import annotations

from functools import partial
from typing import Any


class TenantExperienceError(Exception):
    """The common parent. ``code`` is stable and machine-readable; the message is a sentence for a person.

    Args:
        message: what is wrong, where, and what to do about it. It may contain names of files and columns from outside,
            so characters that would control a terminal, or cannot be written as UTF-8, become ``?``.
        code: ``snake_case``, stable across versions, e.g. ``missing_column``.
    """

    fault = "unknown"

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__("".join(c if c.isprintable() or c in "\n\t" else "?" for c in message))
        self.code = code

    def __str__(self) -> str:
        """The kind, the code and the sentence, as job failure reasons and e-mails show them."""
        return f"{type(self).__name__}: {self.code}: {self.args[0]}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the error with its code, so that it can pass from one process to another."""
        return partial(type(self), code=self.code), (self.message,)

    @property
    def message(self) -> str:
        """The sentence alone."""
        return str(self.args[0])


class UserError(TenantExperienceError):
    """Bad data or a bad request: its sender can correct it."""

    fault = "user"


class AlgorithmError(TenantExperienceError):
    """The data is well formed, but no reliable model can be fitted to it."""

    fault = "algorithm"


class PlatformError(TenantExperienceError):
    """A failure of AWS or the network, or a bug in this application."""

    fault = "platform"
