"""Saves state soon after it changes, so that ``kill -9`` loses seconds, and not everything since the start.

MiniStack saves when it is shut down. Here a thread saves shortly after requests and executions have changed something.
Each file is written beside its place and then moved there, so there is never half a file.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import re
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import persistence

Application = Callable[..., Awaitable[None]]
logger = logging.getLogger("saving")

_SETTLE_S, _LONGEST_WAIT_S = 0.4, 2.0
_PAUSE_S = 1.0
_READ = re.compile(r"(BatchGet|Describe|Filter|Get|List|Query|Receive|Scan|Search)")


class Saver:
    """Saves MiniStack's services and further files while the server runs.

    Args:
        folder: where MiniStack reads its state when it starts (its ``STATE_DIR``).
        extras: further JSON files, and functions that give their content.
        at_start: called once, when the server answers.
    """

    def __init__(self, folder: Path, extras: Mapping[Path, Callable[[], Any]], at_start: Callable[[], None]) -> None:
        self._folder = folder
        self._extras = extras
        self._at_start = at_start
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._written: dict[Path, str] = {}
        self._thread = threading.Thread(target=self._run, name="saving", daemon=True)

    def start(self) -> None:
        """Begin; nothing is saved before the first change."""
        self._at_start()
        self._thread.start()

    def stop(self) -> None:
        """End before MiniStack saves for the last time."""
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def note_change(self) -> None:
        """Something may have changed."""
        self._changed.set()

    def save(self) -> None:
        """Write every file whose content has changed."""
        for service, get_state in app._build_persistence_save_dict().items():
            path = self._folder / f"{service}.json"
            self._write(path, functools.partial(_wrapped, service, get_state))
        for path, content in self._extras.items():
            self._write(path, content)

    def _run(self) -> None:
        # `stop` may come while changes settle, which then forgets that it has woken this thread.
        while not self._stopping.is_set() and self._changed.wait() and not self._stopping.is_set():
            self._settle()
            started = time.monotonic()
            self.save()
            # At most a tenth of the time goes into saving, however much there is.
            self._stopping.wait(max(_PAUSE_S, 9 * (time.monotonic() - started)))

    def _settle(self) -> None:
        """Wait until changes pause, but not for long: a busy server is saved too."""
        deadline = time.monotonic() + _LONGEST_WAIT_S
        while self._changed.is_set() and time.monotonic() < deadline and not self._stopping.is_set():
            self._changed.clear()
            self._stopping.wait(_SETTLE_S)
        self._changed.clear()

    def _write(self, path: Path, content: Callable[[], Any]) -> None:
        try:
            found = content()
            if found is None:
                return  # MiniStack says so when the file is to be left alone
            text = json.dumps(found, default=persistence._json_default)
        except RuntimeError:  # changed while it was read
            self._changed.set()
            return
        except Exception:
            logger.exception("Not saved: %s", path.name)
            return
        digest = hashlib.sha256(text.encode()).hexdigest()
        if self._written.get(path) != digest:
            temporary = path.with_name(path.name + ".saving")
            temporary.write_text(text)
            temporary.replace(path)
            self._written[path] = digest


def noting_changes(application: Application, note_change: Callable[[], None]) -> Application:
    """MiniStack, with ``note_change`` called after every request that may have changed something."""

    async def serve(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        await application(scope, receive, send)
        if scope["type"] == "http" and _may_change(scope):
            note_change()

    return serve


def _may_change(scope: Mapping[str, Any]) -> bool:
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return False
    target = dict(scope["headers"]).get(b"x-amz-target", b"").decode("latin-1")
    return not (target and _READ.match(target.rpartition(".")[2]))


def _wrapped(service: str, get_state: Callable[[], Any]) -> Any:
    """As ``persistence.load_state`` reads it."""
    state = get_state()
    if state is None:
        return None
    return {"__ministack_format__": persistence._state_format_version(service), "payload": state}
