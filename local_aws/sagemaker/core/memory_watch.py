"""Ends a container that needs more memory than its instance type has.

It works on Linux only and measures the resident memory of the container's session. A limit of the address space would
also count memory that numpy and similar libraries map and never use. On other systems nothing is limited.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from local_aws.sagemaker.core.child_process import ChildProcess

OUT_OF_MEMORY = (
    "ClientError: Please use an instance type with more memory, or reduce the size of job data processed on an "
    "instance."
)
_EVERY = 0.2
_PAGE = 4096
_PROC = Path("/proc")


class MemoryWatch:
    """One thread for all containers; it runs while there are any."""

    def __init__(self) -> None:
        self._watched: dict[ChildProcess, tuple[int, Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def watch(self, process: ChildProcess, memory: int, exceeded: Callable[[], None]) -> None:
        """Kill ``process`` once it holds more than ``memory`` bytes, and call ``exceeded`` first."""
        if not (_PROC / "self/stat").exists():
            return
        with self._lock:
            self._watched[process] = (memory, exceeded)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="memory watch", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY):
            with self._lock:
                self._watched = {process: rest for process, rest in self._watched.items() if process.running}
                watched = dict(self._watched)
                if not watched:
                    self._thread = None
                    return
            sessions = _sessions()
            for process, (memory, exceeded) in watched.items():
                members = sessions.get(process.pid or -1, [])
                if sum(resident for _, resident in members) > memory and _proportional(members) > memory:
                    exceeded()
                    process.kill()


def _sessions() -> dict[int, list[tuple[int, int]]]:
    """Session id -> (process id, resident bytes) of its members."""
    found = defaultdict(list)
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended
            found[int(fields[3])].append((int(folder.name), int(fields[21]) * _PAGE))
    return found


def _proportional(members: list[tuple[int, int]]) -> int:
    """Memory of all processes together. Pages that forked workers share count once."""
    total = 0
    for pid, resident in members:
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
            total += next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), resident)
        except OSError:
            total += resident
    return total
