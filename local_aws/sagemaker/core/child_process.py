"""One container's process, started through ``launcher.py`` so that nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

_LAUNCHER = Path(__file__).with_name("launcher.py")


class ChildProcess:
    """A running command.

    Args:
        command: the words, as they are on this machine.
        interpreter: the Python that runs the launcher.
        environment: the command's whole environment.
        folder: working directory; also holds ``pid`` and ``log`` (standard output and error, appended).
        cpus: the CPUs of the machine that it may use; empty means all.
    """

    on_start: ClassVar[Callable[[ChildProcess, Path], None] | None] = None
    """Shown every process, with its folder, once it has been started."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        interpreter: Path,
        environment: Mapping[str, str],
        folder: Path,
        cpus: Sequence[int] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._pid_file = folder / "pid"
        self._pid_file.unlink(missing_ok=True)
        with (folder / "log").open("ab") as log:
            self._launcher = subprocess.Popen(  # noqa: S603 the command is the caller's own job
                [str(interpreter), "-I", "-S", str(_LAUNCHER), str(self._pid_file), _cpu_list(cpus), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,  # a Ctrl-C at the terminal is for the server only
            )
        if ChildProcess.on_start is not None:
            ChildProcess.on_start(self, folder)

    @property
    def pid(self) -> int | None:
        """The process id of the command (not of the launcher), once it has one."""
        try:
            return int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._launcher.poll() is None

    def wait(self) -> int:
        """Wait for its end; returns the exit code, which is 128 + n when signal n ended it."""
        code = self._launcher.wait()
        if code < 0:  # the launcher itself was killed and could not clean up
            self._kill_group()
        self._close_pipe()
        return code if code >= 0 else 128 - code

    def terminate(self, grace: float) -> None:
        """Ask it to end (SIGTERM); kill it after ``grace`` seconds. Returns at once."""
        self._launcher.send_signal(signal.SIGTERM)
        timer = threading.Timer(grace, self.kill)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        """End it and everything it started at once."""
        self._close_pipe()

    def _close_pipe(self) -> None:
        if self._launcher.stdin is not None:
            self._launcher.stdin.close()

    def _kill_group(self) -> None:
        pid = self.pid
        if pid is not None:
            try:
                os.killpg(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return  # nothing of it is left


def _cpu_list(cpus: Sequence[int]) -> str:
    return ",".join(str(cpu) for cpu in cpus) or "all"
