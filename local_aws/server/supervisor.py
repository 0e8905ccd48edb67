"""Leaves no process behind: however the server ends (``down``, Ctrl-C, ``kill -9``), everything it started ends too.

The supervisor forks the server and waits. On Linux it adopts the server's orphans (``PR_SET_CHILD_SUBREAPER``),
also those in sessions of their own (jobs, endpoints, Lambda workers), and kills what is left after the server's end.
When the supervisor is killed, the kernel asks the server to stop (``PR_SET_PDEATHSIG``). The signal is tied to the
*thread* that forked, which is why it is set here, in a process with one thread, and not on each child of the server:
a Lambda worker started from the thread of an execution would die with that execution.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def run_supervised(server: Callable[[], int]) -> int:
    """Run ``server`` in a child and return its exit code once nothing of it is left."""
    adopt_orphans()
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:  # the supervisor died between the fork and the line above
            os._exit(1)
        sys.exit(server())

    def forward(number: int, _frame: FrameType | None) -> None:
        try:
            os.kill(child, number)
        except ProcessLookupError:
            return

    # Ctrl-C reaches the server on its own: it is in the terminal's foreground group as well.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, forward)
    code = _wait_for(child)
    kill_descendants()
    return code


def adopt_orphans() -> None:
    """From now on processes below this one that lose their parent become its children, in any session."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def kill_descendants(patience_s: float = 3.0) -> None:
    """End every process below this one, with SIGTERM and then SIGKILL, until none is left."""
    deadline = time.monotonic() + patience_s
    number = signal.SIGTERM
    while found := _descendants(os.getpid()):
        for pid in found:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        _reap()
        if time.monotonic() > deadline:
            if number == signal.SIGKILL:
                print(f"local_aws: these processes do not end: {found}", file=sys.stderr)
                return
            number, deadline = signal.SIGKILL, time.monotonic() + patience_s
        time.sleep(0.05)


def _wait_for(child: int) -> int:
    """The exit code of ``child``, reaping adopted orphans as they end."""
    while True:
        try:
            pid, status = os.wait()
        except InterruptedError:
            continue
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _descendants(root: int) -> list[int]:
    """Process ids below ``root``, from ``/proc``; none where there is no ``/proc`` (zombies are left out)."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return  # elsewhere only an orderly stop cleans up
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")
