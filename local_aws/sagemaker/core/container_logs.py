"""Sends what containers print to CloudWatch Logs, with the rights of the job's role.

Groups and streams: https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

log = logging.getLogger(__name__)

_EVERY = 0.5
_BATCH_BYTES = 1024 * 1024  # PutLogEvents: a batch, and 26 bytes more for each event
_BATCH_EVENTS = 10_000
_EVENT_BYTES = 256 * 1024
_EVENT_OVERHEAD = 26


class ContainerLogs:
    """Follows the files that containers write to, in one thread."""

    def __init__(self) -> None:
        self._followed: set[FollowedFile] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def follow(self, file: Path, group: str, stream: str, connect: Callable[[], CloudWatchLogsClient]) -> FollowedFile:
        """Send what is written to ``file`` from now on."""
        followed = FollowedFile(file, group, stream, connect)
        with self._lock:
            self._followed.add(followed)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="container logs", daemon=True)
                self._thread.start()
        return followed

    def finish(self, followed: FollowedFile) -> None:
        """Send the rest, also a last line without an end, and forget the file."""
        with self._lock:
            self._followed.discard(followed)
        if not self._stopped.is_set():
            followed.send(last=True)

    def stop(self) -> None:
        """Send nothing more, because the server is stopping."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY):
            with self._lock:
                followed = list(self._followed)
                if not followed:
                    self._thread = None
                    return
            for each in followed:
                each.send()


class FollowedFile:
    """One file and the stream that it goes to."""

    def __init__(self, file: Path, group: str, stream: str, connect: Callable[[], CloudWatchLogsClient]) -> None:
        self.file = file
        self.group = group
        self.stream = stream
        self._connect = connect
        self._client: CloudWatchLogsClient | None = None
        self._offset = file.stat().st_size if file.exists() else 0
        self._refused = False
        self._lock = threading.Lock()

    def send(self, *, last: bool = False) -> None:
        """Send new complete lines; with ``last`` also a line without an end."""
        with self._lock:
            while not self._refused:
                batch = self._read(last)
                if not batch or not self._put(batch):
                    return

    def _read(self, last: bool) -> bytes:
        try:
            with self.file.open("rb") as file:
                file.seek(self._offset)
                read = file.read(_BATCH_BYTES // 4)  # each event counts for more bytes there
        except FileNotFoundError:
            return b""
        whole = read.rfind(b"\n") + 1
        return read if last or (len(read) == _BATCH_BYTES // 4 and not whole) else read[:whole]

    def _put(self, batch: bytes) -> bool:
        now = int(time.time() * 1000)
        lines = [line.decode(errors="replace") for line in batch.splitlines()]
        events = [{"timestamp": now, "message": line[: _EVENT_BYTES // 4]} for line in lines if line]
        try:
            if self._client is None:
                self._client = self._connect()
                _create(self._client, self.group, self.stream)
            for events_now in _batches(events):
                self._client.put_log_events(
                    logGroupName=self.group,
                    logStreamName=self.stream,
                    logEvents=events_now,  # type: ignore[arg-type]
                )
        except ClientError as error:
            log.info("no logs in %s for %s: %s", self.group, self.stream, error)
            self._refused = True  # as on AWS, a role without the right has no logs, and the job goes on
            return False
        except BotoCoreError as error:
            log.info("logs of %s wait: %s", self.stream, error)
            self._client = None
            return False
        self._offset += len(batch)
        return True


def _create(client: CloudWatchLogsClient, group: str, stream: str) -> None:
    with suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_group(logGroupName=group)
    with suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_stream(logGroupName=group, logStreamName=stream)


def _batches(events: list[dict[str, object]]) -> list[list[dict[str, object]]]:
    """Events in batches that PutLogEvents accepts."""
    batches: list[list[dict[str, object]]] = []
    size = _BATCH_BYTES
    for event in events:
        weight = len(str(event["message"]).encode()) + _EVENT_OVERHEAD
        if size + weight > _BATCH_BYTES or len(batches[-1]) == _BATCH_EVENTS:
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += weight
    return batches
