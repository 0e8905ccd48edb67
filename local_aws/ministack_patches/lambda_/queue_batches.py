"""Gathers messages of a queue until a batch is full, or until the batching window of its mapping ends.

As on AWS, a gathered message is invisible in its queue, and its visibility time-out runs while it waits. A batch ends
before its event would be larger than 6 MB.
Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html and
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-batching
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]

EVENT_BYTES = 6 * 1024 * 1024
_OTHER_BYTES = 700  # of a record, beside its body
_MOST_RECEIVED = 10  # messages that one call of ReceiveMessage gives


class Batches:
    """What each mapping has received, and not passed on yet."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._held: dict[str, list[Message]] = {}
        self._began: dict[str, float] = {}

    def take(
        self, mapping: str, *, size: int, window_s: float, receive: Callable[[int], list[Message]]
    ) -> list[Message]:
        """The next batch of a mapping; empty while it is being gathered.

        Args:
            mapping: its id.
            size: the most messages of a batch.
            window_s: how long a batch waits for further messages after its first.
            receive: gives at most so many messages of the queue, which it makes invisible.
        """
        now = self._clock()
        # A message whose visibility time-out has ended is in the queue again.
        held = [message for message in self._held.pop(mapping, []) if message["visible_at"] > now]
        while len(held) < size and _bytes(held) < EVENT_BYTES:
            received = receive(min(_MOST_RECEIVED, size - len(held)))
            held += received
            if not received:
                break
        if not held:
            self._began.pop(mapping, None)
            return []
        batch = _first(held)
        is_full = len(batch) == size or len(batch) < len(held)
        if not is_full and now < self._began.setdefault(mapping, now) + window_s:
            self._held[mapping] = held
            return []
        self._began.pop(mapping, None)
        if rest := held[len(batch) :]:
            self._held[mapping], self._began[mapping] = rest, now
        return batch


def _first(messages: list[Message]) -> list[Message]:
    """As many messages as one event holds."""
    total = 0
    for number, message in enumerate(messages):
        total += _bytes([message])
        if total > EVENT_BYTES and number:
            return messages[:number]
    return messages


def _bytes(messages: list[Message]) -> int:
    return sum(len(message["body"].encode()) + _OTHER_BYTES for message in messages)
