"""The commands of a laptop's AWS, and one with a state folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parents[3]
PYTHON = os.environ.get("LOCAL_AWS_PYTHON", str(ROOT / ".local/venvs/local_aws/bin/python"))


def run_local_aws(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [PYTHON, "-m", "local_aws", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        env=env,
    )


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Laptop:
    """One state folder and its commands."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder = folder
        self._image = image

    def beside(self, folder: Path) -> Laptop:
        """Another one with the same image."""
        return Laptop(folder, self._image)

    def up(self, *more: str) -> subprocess.CompletedProcess[str]:
        return run_local_aws("up", "--state", str(self.folder), "--image", str(self._image), *more)

    def down(self) -> subprocess.CompletedProcess[str]:
        return run_local_aws("down", "--state", str(self.folder))

    def status(self) -> subprocess.CompletedProcess[str]:
        return run_local_aws("status", "--state", str(self.folder))

    def server(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "server.json").read_text())
        return found

    def kill(self) -> None:
        """SIGKILL to the server; returns once nothing holds the folder."""
        supervisor = self.server()["pid"]
        (server,) = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        os.kill(int(server), signal.SIGKILL)
        while self.status().returncode != 3:
            time.sleep(0.05)

    def client(self, service: str) -> Any:
        env = dict(line.split("=", 1) for line in (self.folder / "env").read_text().splitlines())
        return boto3.client(
            service,
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )
