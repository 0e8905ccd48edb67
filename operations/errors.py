"""The one error of the operator's commands."""

from __future__ import annotations


class OperationError(Exception):
    """A command cannot go on. The text says what happened and what to do next."""
