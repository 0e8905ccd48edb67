"""Running executions, and how one ends early: a time-out, an abort, the failure of a sibling."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions as sfn

from local_aws.ministack_patches.states import fields

Execution = dict[str, Any]

_events_lock = threading.Lock()
_listeners: list[Callable[[], None]] = []
_current: contextvars.ContextVar[Run] = contextvars.ContextVar("local_aws_run")
_runs: dict[str, Run] = {}


class InterruptedRunError(Exception):
    """The execution has ended, so code that works for it must stop. Retry and Catch never see this error."""


class Run:
    """One running execution. Everything that blocks for it waits through this object, so ``end`` can wake it."""

    def __init__(self, execution: Execution, role_arn: str) -> None:
        self.execution = execution
        self.role_arn = role_arn  # whose rights its tasks have
        self._ended = threading.Event()
        self._waiting: set[threading.Event] = set()
        self._at_end: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @property
    def has_ended(self) -> bool:
        """Whether it was ended from outside."""
        return self._ended.is_set()

    def check(self) -> None:
        """Raise InterruptedRunError once the execution has ended."""
        if self._ended.is_set():
            raise InterruptedRunError

    def end(self) -> None:
        """Wake everything that waits for this execution, and its children."""
        with self._lock:
            self._ended.set()
            waiting, at_end = list(self._waiting), list(self._at_end)
        for event in waiting:
            event.set()
        for call in at_end:
            call()

    def on_end(self, call: Callable[[], None]) -> None:
        """Call ``call`` when the execution is ended from outside, or at once when it has ended."""
        with self._lock:
            if not self._ended.is_set():
                self._at_end.append(call)
                return
        call()

    def wait_for(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait at most ``seconds`` (None: for ever) for ``event``.

        Returns:
            Whether it was set in time.

        Raises:
            InterruptedRunError: the execution ended meanwhile.
        """
        with self._lock:
            self._waiting.add(event)
        try:
            self.check()
            was_set = event.wait(seconds)
            self.check()
        finally:
            with self._lock:
                self._waiting.discard(event)
        return was_set

    def sleep(self, seconds: float) -> None:
        """Sleep; raises InterruptedRunError when the execution ends meanwhile."""
        if seconds > 0:
            self.wait_for(threading.Event(), seconds)

    def activate(self) -> None:
        """Make this the context's run. Threads inherit it with a copy of the context."""
        _current.set(self)
        _runs[self.execution["executionArn"]] = self

    def forget(self) -> None:
        """Forget the execution, because it no longer runs."""
        _runs.pop(self.execution["executionArn"], None)


def listen(listener: Callable[[], None]) -> None:
    """Call ``listener`` after every event of any execution's history."""
    _listeners.append(listener)


def current() -> Run:
    """The run this thread works for."""
    return _current.get()


def find(execution_arn: str) -> Run | None:
    """The run of an execution, when it runs."""
    return _runs.get(execution_arn)


def scaled_sleep(seconds: float) -> None:
    """Sleep like MiniStack's ``_scaled_sleep``, but not longer than the execution runs."""
    scaled = seconds * sfn._SFN_WAIT_SCALE
    run = _current.get(None)
    if run is not None:
        run.sleep(scaled)
    elif scaled > 0:
        time.sleep(scaled)


def add_event(execution: Execution, event_type: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Add an event to the history, under a lock, because branches of one execution add at the same time."""
    with _events_lock:
        events = execution["events"]
        event = {
            "id": len(events) + 1,
            "previousEventId": len(events),
            "type": event_type,
            "timestamp": fields.now_iso(),
            **(details or {}),
        }
        events.append(event)
    for listener in _listeners:
        listener()
    return event
