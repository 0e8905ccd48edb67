"""How the operator's commands end early: they cannot go on, or a person interrupts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class OperationError(Exception):
    """A command cannot go on. The text says what happened and what to do next."""


class Interrupted(Exception):  # noqa: N818  # nothing is wrong
    """A person pressed Ctrl-C. The text says what goes on without the command, and what to do next."""


@contextmanager
def interruption(text: str | Callable[[], str]) -> Iterator[None]:
    """Say after Ctrl-C what goes on without the command.

    Raises:
        Interrupted: Ctrl-C was pressed in the block.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(text if isinstance(text, str) else text()) from error
