"""Runs one command like SageMaker runs a container. When it ends, or its host ends, nothing of it is left.

Run by an image's interpreter as a script, ``launcher.py <pid file> <CPUs> <command...>``, with the standard library
alone.
The host holds the other end of standard input and never writes to it. The command runs in a session of its own.

- the command ends: what it left running is killed, and its exit code is the launcher's (128 + the signal, as Docker);
- the host dies or closes the pipe: standard input ends, and the command's processes are killed;
- SIGTERM: passed on to the command alone, as ``docker stop`` does;
- the launcher itself is killed: the kernel kills the command (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NOT_FOUND = 127


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _become(command: list[str], cpus: str, launcher: int) -> None:
    """In the child: become the command. Never returns."""
    os.setsid()
    if cpus != "all":
        os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:  # the launcher died before the line above
        os._exit(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        os.execvp(command[0], command)  # noqa: S606 running a command is what this file is for
    except OSError as error:
        os.write(2, f'exec: "{command[0]}": {error.strerror}\n'.encode())
    os._exit(NOT_FOUND)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:  # macOS raises this for a group of zombies
        return


def _kill_when_host_ends(leader: int) -> None:
    while os.read(0, 1):
        pass
    _kill_group(leader)
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGKILL)  # on a busy machine it may not have made its group yet


def _kill_leftovers() -> None:
    """End processes that the command left in sessions of their own; as subreaper, this process is now their parent."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            for child in children.read_text().split() if children.exists() else ():
                os.kill(int(child), signal.SIGKILL)
            time.sleep(0.005)


def main(pid_file: str, cpus: str, command: list[str]) -> int:
    """Run the command on some CPUs (``0,1`` or ``all``); its exit code."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    launcher = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, cpus, launcher)
    Path(pid_file).write_text(str(child))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    threading.Thread(target=_kill_when_host_ends, args=(child,), daemon=True).start()
    _, status = os.waitpid(child, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _kill_group(child)
    _kill_leftovers()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    os._exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
