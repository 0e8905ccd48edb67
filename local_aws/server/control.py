"""Starts and stops the server, for ``up`` and ``down``."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_aws.errors import COMMAND, LocalAwsError
from local_aws.server.state import State, is_healthy

FIRST_PORT = 4566
_CHECKOUT = Path(__file__).resolve().parents[2]
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 20.0
# The server's environment reaches every Lambda worker, so it has only what a bare machine has.
_KEPT_VARIABLES = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER"),
    *("LAMBDA_ACCOUNT_CONCURRENCY", "LOG_LEVEL", "SFN_WAIT_SCALE"),
)


def start(state: State, *, port: int | None, fresh: bool, images: Sequence[Path]) -> tuple[dict[str, Any], bool]:
    """Start the server detached and wait until it answers.

    Returns:
        What ``server.json`` says, and whether the server was started now (False: it was already running).

    Raises:
        LocalAwsError: the port is taken, or the server did not start. The text names the log.
    """
    if fresh:
        stop(state)
        state.remove()
    running = _running(state)
    if running is not None:
        if port not in (None, running["port"]):
            raise LocalAwsError(
                f"The server already runs on port {running['port']}, not {port}. Stop it first: `{COMMAND} down`."
            )
        return running, False
    with _one_start_at_a_time():
        return _start_on(state, choose_port(port, state.last_port()), images), True


@contextmanager
def _one_start_at_a_time() -> Iterator[None]:
    """Two servers that are started at the same moment would both find the same port free."""
    path = Path(tempfile.gettempdir()) / f"local-aws-{os.getuid()}.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _start_on(state: State, port: int, images: Sequence[Path]) -> dict[str, Any]:
    # A checkout is found from its own folder. Elsewhere the package is installed, and no file there may shadow another.
    safe_path = [] if Path.cwd() == _CHECKOUT else ["-P"]
    command = [sys.executable, *safe_path, "-m", "local_aws", "serve", "--port", str(port)]
    command += ["--state", str(state.folder)]
    for image in images:
        command += ["--image", str(image)]
    state.prepare()
    state.log_file.touch(mode=0o600)
    with state.log_file.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 our own interpreter and module
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
        )
    return _wait_until_healthy(state, process)


def stop(state: State) -> bool:
    """Stop the server and everything it started. False when nothing was running.

    Raises:
        LocalAwsError: the server does not end.
    """
    server = state.server()
    if server is None:
        if state.is_locked():
            raise LocalAwsError(f"{state.folder}: a server is starting or stopping. Try again in a moment.")
        return False
    os.kill(server["pid"], signal.SIGTERM)
    if not _released(state, _STOP_LIMIT_S):
        # Without the supervisor the kernel asks the server to stop. The lock is released when both have ended.
        os.kill(server["pid"], signal.SIGKILL)
        if not _released(state, _STOP_LIMIT_S):
            raise LocalAwsError(f"The server (process {server['pid']}) did not end. Read its log: {state.log_file}")
    return True


def choose_port(wanted: int | None, last: int | None) -> int:
    """The port ``wanted``, otherwise the one used last, otherwise the first free one from 4566 on.

    Raises:
        LocalAwsError: the wanted port is taken, or no port is free.
    """
    if wanted is not None:
        if not _is_free(wanted):
            raise LocalAwsError(f"Port {wanted} is taken. Leave out --port to use a free port.")
        return wanted
    candidates: list[int] = [*([last] if last else []), *range(FIRST_PORT, FIRST_PORT + 100)]
    for candidate in candidates:
        if _is_free(candidate):
            return candidate
    raise LocalAwsError(f"No port from {FIRST_PORT} to {FIRST_PORT + 99} is free. Choose another port with --port.")


def _running(state: State) -> dict[str, Any] | None:
    """The healthy server on this folder, also one that is just starting; None when there is none."""
    deadline = time.monotonic() + _START_LIMIT_S
    while state.is_locked():
        server = state.server()
        if server is not None and is_healthy(server["url"]):
            return server
        if time.monotonic() > deadline:
            raise LocalAwsError(
                f"{state.folder}: a server uses this folder but does not answer. Stop it: `{COMMAND} down`."
            )
        time.sleep(0.05)
    return None


def _wait_until_healthy(state: State, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        server = state.server()
        if server is not None and server["pid"] == process.pid and is_healthy(server["url"]):
            return server
        if process.poll() is not None:
            raise LocalAwsError(
                f"The server ended at once. These are the last lines of {state.log_file}:\n{_tail(state.log_file)}"
            )
        time.sleep(0.02)
    process.terminate()
    raise LocalAwsError(f"The server did not answer within {_START_LIMIT_S:.0f} s. Read its log: {state.log_file}")


def _released(state: State, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while state.is_locked():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
