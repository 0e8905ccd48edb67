"""The laptop's AWS: started, found and stopped."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import boto3

from operations.errors import OperationError

ROOT = Path(__file__).resolve().parents[1]
LOCAL = ROOT / ".local"
DEFAULT_STATE = LOCAL / "aws"
_PYTHON = LOCAL / "venvs" / "local_aws" / "bin" / "python"


@dataclass(frozen=True)
class Laptop:
    """A laptop's AWS that runs.

    Attributes:
        state: the folder where it keeps everything.
        url: where it answers.
        mailbox_url: the page that shows the e-mails it sent.
    """

    state: Path
    url: str
    mailbox_url: str

    def use(self) -> None:
        """Point this process's AWS clients at it."""
        for line in (self.state / "env").read_text().splitlines():
            name, _, value = line.partition("=")
            os.environ[name] = value
        boto3.setup_default_session()  # one that was made before has the keys of before


def running(state: Path = DEFAULT_STATE) -> Laptop | None:
    """The laptop's AWS of this folder; None when it does not run."""
    try:
        server = json.loads((state / "server.json").read_text())
    except (FileNotFoundError, ValueError):  # stopped; starting or stopping
        return None
    return Laptop(state, server["url"], server["mailbox_url"])


def start(state: Path = DEFAULT_STATE, *extra: str) -> Laptop:
    """Start the laptop's AWS unless it runs, and point this process's AWS clients at it.

    Args:
        state: the folder where it keeps everything.
        extra: more arguments of ``local_aws up``.

    Raises:
        OperationError: it did not start.
    """
    _local_aws("up", state, *extra, failure="the laptop's AWS did not start")
    laptop = running(state)
    if laptop is None:
        raise OperationError(f"the laptop's AWS stopped right after its start: see {relative(state / 'server.log')}")
    laptop.use()
    return laptop


def stop(state: Path = DEFAULT_STATE) -> None:
    """Stop a laptop's AWS and everything it started."""
    _local_aws("down", state, failure="the laptop's AWS did not stop")


def run_tool(command: list[str], *, failure: str, log: Path, appends: bool = False) -> None:
    """Run a command line tool in the project's folder.

    Args:
        command: the tool and its arguments.
        failure: what to say when it fails.
        log: where the reader finds the tool's whole output.
        appends: whether this call writes the output there; otherwise the tool does.

    Raises:
        OperationError: it failed; with the last lines of its output.
    """
    if not Path(command[0]).exists():
        raise OperationError(f"{relative(Path(command[0]))} is missing: make the environments with `make setup`")
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 our own tools
    if appends:
        with log.open("a") as stream:
            stream.write(f"$ {' '.join(command)}  ({time.monotonic() - started:.1f} s)\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise OperationError(f"{failure} (exit code {done.returncode}); the whole log is {relative(log)}\n{tail}")


def relative(path: Path) -> str:
    """A path as a person in the project's folder types it."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def _local_aws(command: str, state: Path, *extra: str, failure: str) -> None:
    words = [str(_PYTHON), "-m", "local_aws", command, "--state", str(state), *extra]
    run_tool(words, failure=failure, log=state / "server.log")
