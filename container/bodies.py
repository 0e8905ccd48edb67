"""Reads the body of the current request: whole, or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask import Request
from gunicorn.http.errors import ParseException

from container.serving_errors import BadRequestError, BodyTimeoutError, BusyError, TooLargeError
from container.serving_settings import BODIES_AT_ONCE, MIB

DISCARD_LIMIT = 128 * MIB
_PIECE = 1 << 16


class BodyReader:
    """Reads bodies of at most ``limit`` bytes; safe to use from several threads.

    A caller that sends nothing for ``silence_seconds``, or whose body has not come whole within ``body_seconds``, is
    given up: one that sends a byte at a time never falls silent. SageMaker allows 60 s for a whole invocation.

    werkzeug's own limit is not used: of a body that is sent in chunks, it returns the first ``limit`` bytes as if they
    were all. Only so many bodies are read at once that threads are left for ``/ping``, however slowly bodies come.
    """

    def __init__(self, limit: int, silence_seconds: int, body_seconds: int) -> None:
        self._limit = limit
        self._silence_seconds = silence_seconds
        self._body_seconds = body_seconds
        self._places = threading.BoundedSemaphore(BODIES_AT_ONCE)

    def read(self, request: Request) -> bytes:
        """The whole body.

        Raises:
            TooLargeError: it is longer than the limit, whether or not its length is given beforehand.
            BadRequestError: it ends too early, or its chunks are malformed.
            BodyTimeoutError: the caller fell silent, or sends too slowly.
            BusyError: too many bodies are being read.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError(f"{BODIES_AT_ONCE} requests are being read; try again in a second")
        try:
            with _patience(request, self._silence_seconds, self._body_seconds):
                return self._whole(request)
        finally:
            self._places.release()

    def _whole(self, request: Request) -> bytes:
        stream, length = request.environ["wsgi.input"], request.content_length
        pieces, left = [], self._limit + 1
        if length is None or length <= self._limit:
            while left > 0 and (piece := stream.read(min(left, _PIECE))):
                pieces.append(piece)
                left -= len(piece)
        if left <= 0 or (length or 0) > self._limit:
            _discard(stream)
            raise TooLargeError(f"the body is longer than {self._limit} bytes; send fewer rows at a time")
        body = b"".join(pieces)
        if length is not None and len(body) < length:
            raise BadRequestError(f"the body ends after {len(body)} of {length} bytes")
        return body


@contextmanager
def _patience(request: Request, silence_seconds: int, body_seconds: int) -> Iterator[None]:
    connection: Any = request.environ.get("gunicorn.socket")
    late = threading.Event()

    def give_up() -> None:
        late.set()
        # The thread that waits for the body then reads its end; the answer can still be sent.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)

    clock = threading.Timer(body_seconds, give_up)
    clock.daemon = True
    if connection is not None:
        connection.settimeout(silence_seconds)
        clock.start()
    try:
        yield
        if late.is_set():
            raise _too_slow(body_seconds)
    except TimeoutError as error:
        raise BodyTimeoutError(f"no part of the body came for {silence_seconds} seconds") from error
    except BadRequestError as error:
        raise (_too_slow(body_seconds) if late.is_set() else error) from error.__cause__
    except (OSError, ParseException) as error:
        if late.is_set():
            raise _too_slow(body_seconds) from error
        raise BadRequestError(f"the body cannot be read: {type(error).__name__}") from error
    finally:
        clock.cancel()
        if connection is not None:
            connection.settimeout(None)


def _too_slow(seconds: int) -> BodyTimeoutError:
    return BodyTimeoutError(f"the body did not come whole within {seconds} seconds")


def _discard(stream: Any) -> None:
    """Reads the rest of a body that was refused for its size, so that the connection can be used again.

    gunicorn promises keep-alive, but closes a connection with much left unread, so that the caller's next request would
    fail instead of the refused one. SageMaker passes at most 100 MiB, in batch transform.
    """
    left = DISCARD_LIMIT
    while left > 0 and (piece := stream.read(min(left, _PIECE))):
        left -= len(piece)
