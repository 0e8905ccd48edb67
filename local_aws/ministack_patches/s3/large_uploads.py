"""Large uploads go to files while they arrive, and the parts of a multipart upload are joined there.

MiniStack holds an upload twice in memory, and keeps it until the connection's next request.
"""

from __future__ import annotations

import inspect
import mmap
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from ministack import app
from ministack.services import s3

from local_aws.ministack_patches.patched_names import JOIN_LINE
from local_aws.ministack_patches.s3.large_objects import LARGE_BYTES

_NEW_JOIN_LINE = "combined = _local_aws_join(combined_parts)"
_read: Callable[..., Awaitable[Any]] = app._read_request_body


def install() -> None:
    """Change how bodies of uploads are read, and how parts are joined."""
    app._read_request_body = _read_to_file
    names = vars(s3)
    names["_local_aws_join"] = _join
    source = inspect.getsource(s3._complete_multipart_upload).replace(JOIN_LINE, _NEW_JOIN_LINE)
    exec(compile(source, __file__, "exec"), names)  # noqa: S102 MiniStack's own source, but for that line


async def _read_to_file(receive: Any, method: str, headers: dict[str, str]) -> Any:
    if method != "PUT" or not _is_large_object(headers):
        return await _read(receive, method, headers)
    with tempfile.TemporaryFile() as file:
        more = True
        while more:
            message = await receive()
            if message.get("type") == "http.disconnect":
                raise app._RequestBodyDisconnected
            file.write(message.get("body", b""))
            more = message.get("more_body", False)
        file.flush()
        if file.tell() != int(headers["content-length"]):
            raise app._IncompleteRequestBody("Content-Length does not match request body")
        body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    app.pin_signed_body(body)
    return body


def _is_large_object(headers: dict[str, str]) -> bool:
    """Whether a request signed for S3 has a large body that is not in chunks of AWS's own form."""
    if "/s3/aws4_request" not in headers.get("authorization", "") or "x-amz-decoded-content-length" in headers:
        return False
    in_chunks = headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
    length = headers.get("content-length", "")
    return length.isdecimal() and int(length) >= LARGE_BYTES and not in_chunks


def _join(parts: Iterable[Any]) -> Any:
    """The parts one after the other: in memory when they are small, otherwise in a file."""
    found = list(parts)
    if sum(map(len, found)) < LARGE_BYTES:
        return b"".join(found)
    with tempfile.TemporaryFile() as file:
        for part in found:
            file.write(part)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
