"""A gunicorn worker whose threads begin with a request only when its whole header has come.

gunicorn's own worker reads headers in its threads, without a time limit: as many callers as there are threads, each of
whom sends a byte per second, would keep ``/ping`` from being answered. Here the loop that waits for connections reads
the headers, so a caller that sends slowly costs no thread, and is given up after a while.
"""

from __future__ import annotations

import json
import selectors
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

HEADER_SECONDS = 30
HEADER_LIMIT = 1 << 15
_END = b"\r\n\r\n"
_PIECE = 1 << 13
_STATUS = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


def _refuse(sock: Any, status: HTTPStatus, message: str) -> None:
    """Send an error in the container's form, and promise to close the connection."""
    body = json.dumps({"error": {"code": status.name.lower(), "message": message}})
    header = f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    with suppress(OSError):
        util.write_nonblock(sock, f"{header}Content-Length: {len(body)}\r\n\r\n{body}".encode())


class HeaderFirstWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Every connection with a new request comes to ``enqueue_req``; ``pending_conns`` are those that wait."""

    def enqueue_req(self, conn: Any) -> None:
        """Give the connection to a thread once its next header is whole."""
        conn.init()
        conn.sock.setblocking(False)
        conn.data_ready = True
        # After a body, the beginning of the next request may have been read already.
        conn.header = bytearray(conn.parser.unreader.take_buffered())
        if self._header_goes_on(conn):
            return
        conn.timeout = time.monotonic() + (HEADER_SECONDS if self.alive else STOP_KEEPALIVE_LINGER)
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """A part of a header has come."""
        if self._header_goes_on(conn):
            self.poller.unregister(client)
            self.pending_conns.remove(conn)

    def _header_goes_on(self, conn: Any) -> bool:
        """Read what has come. False while the header is not whole and the caller may go on."""
        try:
            while _END not in conn.header and len(conn.header) <= HEADER_LIMIT:
                piece = conn.sock.recv(_PIECE)
                if not piece:
                    return self._drop(conn)
                conn.header += piece
        except BlockingIOError:
            return False
        except OSError:
            return self._drop(conn)
        if _END not in conn.header:
            conn.sock.setblocking(True)
            _refuse(conn.sock, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"send at most {HEADER_LIMIT} bytes of it")
            return self._drop(conn)
        conn.parser.unreader.unread(bytes(conn.header))
        super().enqueue_req(conn)
        return True

    def _drop(self, conn: Any) -> bool:
        self.nr_conns -= 1
        # The poller forgets the socket before it is closed: another connection may get its number.
        self.method_queue.defer(conn.close)
        return True

    def handle_error(self, _req: Any, client: Any, _addr: Any, exc: Exception) -> None:
        """Answer what is no request, for which gunicorn would send a page of HTML, in the form of every other error."""
        if not isinstance(exc, ParseException):
            self.log.exception("Error handling request")
            _refuse(client, HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says more")
            return
        status = next((status for kind, status in _STATUS.items() if isinstance(exc, kind)), HTTPStatus.BAD_REQUEST)
        # What was sent may be personal data, so only the kind of the fault is told.
        self.log.warning("refused what is no request: %s", type(exc).__name__)
        _refuse(client, status, f"this is no HTTP request that the server reads: {type(exc).__name__}")

    def _cap_keepalive(self, deadline: float) -> None:
        """When the worker stops, it does not wait for slow callers either."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)
