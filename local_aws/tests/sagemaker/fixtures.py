"""A SageMaker under test, S3 from a real MiniStack, and an image of tiny programs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws.sagemaker import Image, SageMaker, Timing
from local_aws.tests.sagemaker.support import BUCKET, LABELS, PROGRAM, ROOT, CheckedSageMaker, Make, wait_for


def ministack_python() -> Path:
    """MiniStack lives in an environment of its own, which `make` builds; LOCAL_AWS_PYTHON names another."""
    python = Path(os.environ.get("LOCAL_AWS_PYTHON", ROOT / ".local/venvs/local_aws/bin/python"))
    if not python.exists():
        pytest.fail(f"{python} is missing: `make up` builds it, or set LOCAL_AWS_PYTHON", pytrace=False)
    return python


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("ministack"), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "IOT_MTLS_ENABLED": "0",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
    }
    command = [str(ministack_python()), "-c", "from ministack import app; app.main()"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603
            command, env=environment, cwd=folder, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: server.poll() is not None or answers(url), what="MiniStack")
        assert server.poll() is None, (folder / "log").read_text()
        yield url
    finally:
        server.terminate()
        server.wait(10)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(  # noqa: S310
            f"{url}/_ministack/health", timeout=2
        ).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def s3(endpoint_url: str) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
    )
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="session")
def image() -> Image:
    return Image(
        name="program",
        interpreter=Path(sys.executable),
        mounts={"/opt/program": PROGRAM},
        path=("/opt/program",),
        labels=LABELS,
    )


@pytest.fixture
def make(tmp_path: Path, endpoint_url: str, image: Image, s3: Any) -> Iterator[Make]:
    """Makes a SageMaker over one state folder; the second one made is the first one restarted."""
    del s3
    made: list[SageMaker] = []

    def start(**settings: Any) -> SageMaker:
        chosen: dict[str, Any] = {"images": [image], "timing": Timing(stop_grace=5, startup=15, offline_delay=0.2)}
        sagemaker = CheckedSageMaker(
            state_dir=tmp_path / "state",
            endpoint_url=endpoint_url,
            region="us-east-1",
            account="000000000000",
            credentials=lambda role, session: {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_SESSION_TOKEN": f"{role} {session}".replace(" ", "-"),
            },
            **(chosen | settings),
        )
        made.append(sagemaker)
        return sagemaker

    yield start
    for sagemaker in made:
        sagemaker.stop()


@pytest.fixture
def sagemaker(make: Make) -> SageMaker:
    return make()
