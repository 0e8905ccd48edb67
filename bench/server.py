"""A laptop's AWS of the benchmark's own, and clients for it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_aws.server.control import choose_port
from local_aws.server.state import State

ROOT = Path(__file__).parents[1]
PYTHON = os.environ.get("LOCAL_AWS_PYTHON", str(ROOT / ".local/venvs/local_aws/bin/python"))


def local_aws(state: Path, verb: str, *arguments: str) -> None:
    """One command of ``python -m local_aws`` on the state folder ``state``."""
    command = [PYTHON, "-m", "local_aws", verb, "--state", str(state), *arguments]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603


@contextmanager
def state_folder(name: str) -> Iterator[Path]:
    """A folder for one server's state; whatever runs there is stopped, and the folder removed, afterwards."""
    (ROOT / ".local/bench").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=ROOT / ".local/bench") as folder:
        try:
            yield Path(folder)
        finally:
            local_aws(Path(folder), "down")


def start(state: Path, *arguments: str) -> dict[str, str]:
    """Start a server on a free port; its environment variables, and its process id as ``server``."""
    local_aws(state, "up", "--port", str(choose_port(None, None)), *arguments)
    found = State(state)
    env = dict(line.split("=", 1) for line in found.env_file.read_text().splitlines())
    return env | {"server": str((found.server() or {})["pid"])}


def client_maker(env: dict[str, str], *, connections: int) -> Callable[[Any], Any]:
    """What makes boto3 clients of the server: a pool of ``connections``, and no retries that would hide a failure."""

    def client(service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            config=Config(max_pool_connections=connections, retries={"total_max_attempts": 1}),
        )

    return client
