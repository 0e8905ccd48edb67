"""Large objects are read from their files, and sent in pieces. MiniStack reads a whole object to give one byte of it.

It also keeps the bytes of every version of a versioned bucket in memory, which are on disk already, and gives a whole
version when a range of it is asked for.
"""

from __future__ import annotations

import contextlib
import contextvars
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ministack.core.responses import StreamingResponse
from ministack.services import s3

Answer = tuple[int, dict[str, str], Any]

LARGE_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024

_reads_files: contextvars.ContextVar[bool] = contextvars.ContextVar("local_aws_s3_reads_files", default=False)
_get_object = s3._get_object
_copy_object = s3._copy_object
_upload_part_copy = s3._upload_part_copy
_persist_displaced_version = s3._persist_displaced_version
_version_entry = s3._version_entry_from_record
_read_body = s3._read_body
_version_body = s3._version_body


def install() -> None:
    """Read from files wherever objects are read, copied and replaced."""
    s3._get_object = _get_object_in_pieces
    s3._copy_object = _from_files(_copy_object)
    s3._upload_part_copy = _from_files(_upload_part_copy)
    s3._persist_displaced_version = _from_files(_persist_displaced_version)
    s3._version_entry_from_record = _version_entry_without_bytes
    s3._read_body = _read_body_of_file
    s3._version_body = _version_body_of_file


def _version_entry_without_bytes(obj: dict[str, Any], version_id: str, _data: Any) -> Any:
    """A version's bytes are in the object's file while it is the current one, and in a file of their own afterwards."""
    return _version_entry(obj, version_id, None)


def _get_object_in_pieces(bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Answer:
    if "host" not in headers:  # called from within the server, which needs all bytes
        whole: Answer = _get_object(bucket, key, headers, query)
        return whole
    wanted = headers.get("range")
    plain = {name: value for name, value in headers.items() if name != "range"}
    with _reading_files():
        status, found, body = _get_object(bucket, key, plain, query)
    if status != 200:
        return status, found, body
    view = memoryview(body)
    if wanted is not None:
        span = s3._parse_range(wanted, len(view))
        if span is None:
            error = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(view)}"}
            return 416, error, s3._xml_body(s3._range_error_xml(bucket, key))
        view = view[span[0] : span[1] + 1]
        # The checksums are those of the whole object.
        found = {name: value for name, value in found.items() if not name.lower().startswith("x-amz-checksum-")}
        found |= {"Content-Length": str(len(view)), "Content-Range": f"bytes {span[0]}-{span[1]}/{len(body)}"}
        status = 206
    if len(view) < LARGE_BYTES:
        return status, found, bytes(view)
    return status, found, StreamingResponse(lambda send, _receive: _send(send, view))


async def _send(send: Any, view: memoryview) -> None:
    for start in range(0, len(view), _PIECE_BYTES):
        piece = bytes(view[start : start + _PIECE_BYTES])
        await send({"type": "http.response.body", "body": piece, "more_body": start + _PIECE_BYTES < len(view)})


@contextlib.contextmanager
def _reading_files() -> Iterator[None]:
    token = _reads_files.set(True)
    try:
        yield
    finally:
        _reads_files.reset(token)


def _from_files(function: Any) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        with _reading_files():
            return function(*arguments, **named)

    return call


def _read_body_of_file(bucket: str, key: str, obj: dict[str, Any]) -> Any:
    mapped = _mapped(s3._object_disk_path(bucket, key)) if obj.get("body") is None else None
    return _read_body(bucket, key, obj) if mapped is None else mapped


def _version_body_of_file(bucket: dict[str, Any], name: str, key: str, version: dict[str, Any]) -> Any:
    mapped = None
    if version.get("data") is None and s3._version_file_exists(name, key, version["version_id"]):
        mapped = _mapped(s3._version_disk_path(name, key, version["version_id"]))
    return _version_body(bucket, name, key, version) if mapped is None else mapped


def _mapped(path: str | None) -> mmap.mmap | None:
    """The bytes of a large file, without reading it. They stay the same when another file takes its place."""
    if path is None or not _reads_files.get():
        return None
    try:
        with Path(path).open("rb") as file:
            if file.seek(0, 2) < LARGE_BYTES:
                return None
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError:
        return None
