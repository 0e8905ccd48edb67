"""HTTP to one container on this machine, over connections that are kept open."""

from __future__ import annotations

import http.client
import select
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

_STALE = (http.client.RemoteDisconnected, ConnectionError, http.client.BadStatusLine)


class ContainerUnreachableError(Exception):
    """The container does not answer, or answers something that is not HTTP."""


class ContainerTimeoutError(ContainerUnreachableError):
    """The container took too long."""


@dataclass(frozen=True)
class Answer:
    """A container's answer. Header names are as the container wrote them, so look them up with :meth:`header`."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float = 0.0

    def header(self, name: str) -> str | None:
        """The header's value, whatever the case of its name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class ContainerClient:
    """Requests to one port, from any number of threads."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: deque[http.client.HTTPConnection] = deque()

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Answer:
        """One request and its whole answer.

        Raises:
            ContainerTimeoutError: no answer within ``seconds``.
            ContainerUnreachableError: nobody listens, or the connection broke.
        """
        connection, used = self._take(seconds)
        try:
            return self._exchange(connection, method, path, headers, body)
        except TimeoutError as error:
            connection.close()
            raise ContainerTimeoutError(f"no answer to {method} {path} within {seconds} s") from error
        except _STALE as error:
            connection.close()
            if not used:
                raise ContainerUnreachableError(f"{method} {path}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ContainerUnreachableError(f"{method} {path}: {error}") from error
        # The container closed an idle connection just as it was taken up again: send it again on a new one.
        connection = self._open(seconds)
        try:
            return self._exchange(connection, method, path, headers, body)
        except TimeoutError as error:
            connection.close()
            raise ContainerTimeoutError(f"no answer to {method} {path} within {seconds} s") from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ContainerUnreachableError(f"{method} {path}: {error}") from error

    def close(self) -> None:
        """Close idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _take(self, seconds: float) -> tuple[http.client.HTTPConnection, bool]:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._open(seconds), False
            if connection.sock is not None and not _readable(connection):
                connection.sock.settimeout(seconds)
                return connection, True
            connection.close()

    def _open(self, seconds: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=seconds)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Answer:
        begun = time.monotonic()
        connection.request(method, path, body=body, headers=dict(headers))
        response = connection.getresponse()
        answer = Answer(response.status, response.getheaders(), response.read(), time.monotonic() - begun)
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer


def _readable(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection has something to read, which means that the other side has closed it."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))
