"""The server process: MiniStack with its patches, SageMaker, and the ``/_local`` pages, on one port."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from local_aws.server.state import State
from local_aws.server.supervisor import adopt_orphans, kill_descendants, run_supervised

REGION = "us-east-1"
ACCOUNT = "000000000000"
LAMBDA_CONCURRENCY = 20
"""How many functions run at once, unless the caller says otherwise. A worker takes about 55 MB; AWS's own is 1,000."""


def serve(state: State, *, port: int, images: Sequence[Path]) -> int:
    """Run until SIGTERM or Ctrl-C; returns the exit code once everything it started has ended."""
    os.umask(0o077)  # whatever the server and its processes write is their owner's
    with state.locked():
        return run_supervised(lambda: _serve_here(state, port, images))


def _serve_here(state: State, port: int, images: Sequence[Path]) -> int:
    _prepare_folders(state)
    _prepare_environment(state, port)
    from local_aws.server.gateway import Gateway  # after the environment: MiniStack reads it when it is imported

    gateway = Gateway(state=state, port=port, region=REGION, account=ACCOUNT, image_files=images)
    from local_aws import ministack_patches

    application, saver = ministack_patches.keep(gateway, state.folder)
    asyncio.run(_run(application, saver, port))
    adopt_orphans()  # when the supervisor was killed, nobody else ends what is left
    gateway.close()
    kill_descendants()
    return 0


def _prepare_folders(state: State) -> None:
    shutil.rmtree(state.temporary, ignore_errors=True)  # unpacked Lambda code of the last run
    for folder in (state.temporary, state.mail, state.ministack / "state", state.ministack / "s3"):
        folder.mkdir(parents=True, exist_ok=True)


def _prepare_environment(state: State, port: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:  # bursts of connections and workers
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.environ.update(
        AUTH="true",
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        IOT_MTLS_ENABLED="0",
        MINISTACK_ACCOUNT_ID=ACCOUNT,
        MINISTACK_REGION=REGION,
        PERSIST_STATE="1",
        S3_DATA_DIR=str(state.ministack / "s3"),
        S3_PERSIST="1",
        SFTP_ENABLED="0",
        STATE_DIR=str(state.ministack / "state"),
        TMPDIR=str(state.temporary),
    )
    os.environ.setdefault("LAMBDA_ACCOUNT_CONCURRENCY", str(LAMBDA_CONCURRENCY))
    # MiniStack would treat these as root keys, and every function would see them.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)


async def _run(application: Any, saver: Any, port: int) -> None:
    from hypercorn.asyncio import serve as serve_asgi
    from hypercorn.config import Config

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1  # long polls must not hold up `down`
    config.loglevel = os.environ.get("LOG_LEVEL", "INFO")

    async def stop() -> None:
        await stopping.wait()
        await asyncio.to_thread(saver.stop)

    answering = asyncio.create_task(_once_it_answers(port, saver.start))
    await serve_asgi(application, config, shutdown_trigger=stop)
    answering.cancel()


async def _once_it_answers(port: int, call: Callable[[], None]) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        break
    await asyncio.to_thread(call)
