"""The folder that holds everything, so that deleting it deletes all of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.errors import COMMAND, LocalAwsError

DEFAULT_FOLDER = Path(".local/aws")
_OTHERS = 0o077  # all rights of a file that are not its owner's


@dataclass(frozen=True)
class State:
    """The files below one folder, usually ``.local/aws``."""

    folder: Path

    @property
    def server_file(self) -> Path:
        """What runs, as JSON: pid, port, url, mailbox_url, started_at. Present while it runs."""
        return self.folder / "server.json"

    @property
    def env_file(self) -> Path:
        """Dotenv lines for boto3, sam and the AWS command line."""
        return self.folder / "env"

    @property
    def log_file(self) -> Path:
        """The server's output."""
        return self.folder / "server.log"

    @property
    def mail(self) -> Path:
        """One ``.eml`` file for each message."""
        return self.folder / "mail"

    @property
    def ministack(self) -> Path:
        """MiniStack's persisted state, and the S3 objects below it."""
        return self.folder / "ministack"

    @property
    def temporary(self) -> Path:
        """``TMPDIR`` of the server and its Lambda workers; emptied at every start."""
        return self.folder / "tmp"

    @property
    def _lock_file(self) -> Path:
        return self.folder / "server.lock"

    @property
    def _port_file(self) -> Path:
        return self.folder / "port"

    def prepare(self) -> None:
        """Make the folder, and let only its owner into it and its files: they hold keys, mail and data.

        What an earlier version left open to others is closed.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        for folder, names, files in os.walk(self.folder):
            for name in (*names, *files):
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    mode = path.lstat().st_mode
                    if mode & _OTHERS and not stat.S_ISLNK(mode):
                        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)

    def remove(self) -> None:
        """Delete everything: buckets, stacks, mail, jobs."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def server(self) -> dict[str, Any] | None:
        """What ``server_file`` says, or None when nothing runs."""
        if not self.is_locked():
            return None
        try:
            found: dict[str, Any] = json.loads(self.server_file.read_text())
        except (FileNotFoundError, ValueError):
            return None  # starting, or stopping
        return found

    def keys(self) -> tuple[str, str] | None:
        """Access key id and secret of the last start; None before the first start."""
        if not self.env_file.exists():
            return None
        found = dict(line.partition("=")[::2] for line in self.env_file.read_text().splitlines())
        return found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]

    def last_port(self) -> int | None:
        """The port of the last start. It is used again, so that URLs in the state (queues, outputs) still work."""
        try:
            return int(self._port_file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def announce(self, server: dict[str, Any], env: dict[str, str]) -> None:
        """Write ``server_file`` and ``env_file``. Only the owner may read them: the second holds a secret key."""
        self._port_file.write_text(str(server["port"]))
        _write_atomically(self.env_file, "".join(f"{name}={value}\n" for name, value in env.items()))
        _write_atomically(self.server_file, json.dumps(server, indent=1) + "\n")

    def is_locked(self) -> bool:
        """Whether a server holds this folder. The lock ends with its process, so an old file does not matter."""
        if not self._lock_file.exists():
            return False
        with self._lock_file.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for as long as the server runs.

        Raises:
            LocalAwsError: another server holds it.
        """
        self.prepare()
        with self._lock_file.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LocalAwsError(
                    f"{self.folder}: a server already uses this folder. Stop it: `{COMMAND} down`."
                ) from None
            try:
                yield
            finally:
                self.server_file.unlink(missing_ok=True)


def is_healthy(url: str) -> bool:
    """Whether the server at ``url`` answers."""
    try:
        with urllib.request.urlopen(f"{url}/_local/status", timeout=2) as response:  # noqa: S310 our own http URL
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
