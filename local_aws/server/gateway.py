"""The one ASGI application: ``/_local`` pages and most record operations here, everything else to MiniStack."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from local_aws import ministack_patches
from local_aws.faults.rules import Faults
from local_aws.server import browser_guard
from local_aws.server.mail import Mailbox, SnsPostman
from local_aws.server.pages import Pages
from local_aws.server.state import State

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Gateway:
    """Serves MiniStack with its patches, SageMaker's records, and the pages of this package."""

    def __init__(self, *, state: State, port: int, region: str, account: str, image_files: Sequence[Path]) -> None:
        self._state = state
        self._url = f"http://127.0.0.1:{port}"
        self._port = port
        self._region = region
        self._faults = Faults()
        mailbox = Mailbox(state.mail)
        self._ministack = ministack_patches.install(SnsPostman(mailbox, self._url))
        # These use private names too, so they are imported after `install` has checked the names.
        from local_aws.ministack_patches import ordered_failures
        from local_aws.ministack_patches.iam import callers
        from local_aws.ministack_patches.sns import email_subscriptions
        from local_aws.server import sagemaker_service

        ordered_failures.install(self._faults)

        self._callers = callers
        self._pages = Pages(mailbox, self._url, email_subscriptions.confirm, email_subscriptions.unsubscribe)
        self._sagemaker, self._records = sagemaker_service.start(
            folder=state.folder,
            url=self._url,
            region=region,
            account=account,
            image_files=image_files,
            faults=self._faults,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._ministack(scope, receive, self._announcing(send))
        elif scope["type"] == "http" and (refusal := browser_guard.refusal(scope, self._port)) is not None:
            status, sentence = refusal
            await _answer(send, status, "text/plain; charset=utf-8", sentence.encode())
        elif scope["type"] == "http" and scope["path"] == "/_local/faults":
            status, document = self._faults.answer(scope["method"], _body(await _received(receive)))
            await _answer(send, status, "application/json", json.dumps(document, indent=1).encode())
        elif scope["type"] == "http" and scope["path"].startswith("/_local/"):
            query = scope["query_string"].decode()
            await _answer(send, *self._pages.answer(scope["path"], query))
        elif scope["type"] == "http" and self._faults.rules:
            await self._answer_or_fail(scope, receive, send)
        else:
            await self._answer_service(scope, receive, send)

    async def _answer_or_fail(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless a rule makes the request fail."""
        from local_aws.faults.http import Request, find, refusal  # imported here because most servers never have a rule

        received = await _received(receive)
        found = find(self._faults, Request.of(scope, _body(received)))
        if found is None:
            await self._answer_service(scope, _again(received, receive), send)
            return
        rule, service = found
        await asyncio.sleep(rule.delay)
        if rule.code is None or rule.loses_answer:
            await self._answer_service(scope, _again(received, receive), send if rule.code is None else _lose)
        if rule.code is not None:
            await _send_response(send, *refusal(rule, service))

    async def _answer_service(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._records.may_answer(scope):
            await self._answer_records(scope, receive, send)
        else:
            await self._ministack(scope, receive, send)

    async def _answer_records(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = await _received(receive)
        whole = received[-1]["type"] == "http.request"
        answer = self._records.answer(scope, _body(received)) if whole else None
        if answer is None:
            await self._ministack(scope, _again(received, receive), send)
        else:
            await _send_response(send, 200, {"content-type": "application/json"}, answer)

    def close(self) -> None:
        """Stop every job, endpoint and Lambda worker."""
        self._sagemaker.stop()
        ministack_patches.stop_workers()

    def _announcing(self, send: Send) -> Send:
        """Pass lifespan messages on. Once MiniStack is ready, create the administrator's keys and write the files."""

        async def send_announcing(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._announce()
            await send(message)

        return send_announcing

    async def _announce(self) -> None:
        access_key, secret_key = await self._callers.administrator_keys(self._state.keys())
        self._state.announce(
            {
                "pid": os.getppid(),  # the supervisor's: stopping it stops everything
                "port": self._port,
                "url": self._url,
                "mailbox_url": f"{self._url}/_local/mailbox",
                "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
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
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_response(send: Send, status: int, named: Mapping[str, str], body: bytes) -> None:
    headers = [
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lose(_message: MutableMapping[str, Any]) -> None:
    """Drop a part of an answer that gets lost."""


async def _received(receive: Receive) -> list[MutableMapping[str, Any]]:
    """A whole request's messages."""
    received = [await receive()]
    while received[-1].get("more_body"):
        received.append(await receive())
    return received


def _body(received: Sequence[MutableMapping[str, Any]]) -> bytes:
    return b"".join(message.get("body", b"") for message in received)


def _again(received: Sequence[MutableMapping[str, Any]], receive: Receive) -> Receive:
    """Give the received messages once more, and then the rest."""
    messages = iter(received)

    async def receive_again() -> MutableMapping[str, Any]:
        for message in messages:
            return message
        return await receive()

    return receive_again
