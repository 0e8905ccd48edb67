"""The one ASGI application: ``/_local`` pages here, everything else to MiniStack."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from local_aws import ministack_adapter
from local_aws.serve import started_at
from local_aws.state import State

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Gateway:
    """MiniStack with the adapter applied, beside the pages of this package."""

    def __init__(self, *, state: State, port: int, region: str, account: str, image_files: Sequence[Path]) -> None:
        self._state = state
        self._url = f"http://127.0.0.1:{port}"
        self._port = port
        self._region = region
        self._ministack = ministack_adapter.install()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._ministack(scope, receive, self._announcing(send))
        elif scope["type"] == "http" and scope["path"].startswith("/_local/"):
            await _answer(send, 200, "application/json", b'{"status": "ok"}')
        else:
            await self._ministack(scope, receive, send)

    def close(self) -> None:
        """Stop what MiniStack leaves running."""
        ministack_adapter.stop_workers()

    def _announcing(self, send: Send) -> Send:
        """Pass lifespan messages on; once MiniStack is ready, make the administrator and write server.json and env."""

        async def send_announcing(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._announce()
            await send(message)

        return send_announcing

    def _announce(self) -> None:
        access_key, secret_key = ministack_adapter.administrator_keys()
        self._state.announce(
            {
                "pid": os.getppid(),  # the supervisor's: stopping it stops everything
                "port": self._port,
                "url": self._url,
                "mailbox_url": f"{self._url}/_local/mailbox",
                "started_at": started_at(),
            },
            {
                "AWS_ENDPOINT_URL": self._url,
                "AWS_ACCESS_KEY_ID": access_key,
                "AWS_SECRET_ACCESS_KEY": secret_key,
                "AWS_DEFAULT_REGION": self._region,
                "AWS_REGION": self._region,
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        )


async def _answer(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
