"""Callers that send slowly or fall silent, to the real server: they are answered or given up, and block nobody."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from container.header_first_worker import HEADER_LIMIT
from container.serving_settings import ServingSettings
from tests.support.serving_process import serving
from tests.support.small_model import write_model

# More callers than the server has threads.
CALLERS = ServingSettings.from_environment({}).connections + 8
PING = b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server with one loaded model, ``m``, that gives up silent callers after a second."""
    base = tmp_path_factory.mktemp("slow")
    settings = {"SAGEMAKER_MULTI_MODEL": "true", "SERVING_MODEL_MEMORY_MIB": "2", "SERVING_SILENCE_SECONDS": "1"}
    with serving(base, **settings) as (client, _):
        folder = write_model(base / "model")
        assert client.post("/models", json={"model_name": "m", "url": str(folder)}).status_code == 200
        yield client


def connect(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=200)


def answer_on(connected: socket.socket) -> tuple[int, bytes]:
    """Reads one answer that has a length."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connected.recv(65_536)
        assert piece, received
        received += piece
    header, _, body = received.partition(b"\r\n\r\n")
    [length] = [
        int(line.split(b":")[1]) for line in header.split(b"\r\n") if line.lower().startswith(b"content-length")
    ]
    while len(body) < length:
        piece = connected.recv(65_536)
        assert piece, received
        body += piece
    return int(header.split()[1]), body


def test_callers_with_slow_headers_block_nobody_and_are_answered_in_the_end(client: httpx.Client) -> None:
    slow = [connect(client) for _ in range(CALLERS)]
    sent = 0
    for sent in range(8):  # each byte of the header comes by itself, and between two of them /ping is asked
        for each in slow:
            each.sendall(PING[sent : sent + 1])
        with httpx.Client(base_url=client.base_url, timeout=200) as fresh:
            assert fresh.get("/ping").status_code == 200
    for each in slow:
        each.sendall(PING[sent + 1 :])
    assert {answer_on(each)[0] for each in slow} == {200}
    for each in slow:
        each.close()


def test_a_caller_who_falls_silent_in_the_body_gets_408(client: httpx.Client) -> None:
    for header, begun in ((b"Content-Length: 12", b"1,2,3\n"), (b"Transfer-Encoding: chunked", b"6\r\n1,2,3\n\r\n")):
        with connect(client) as silent:
            silent.sendall(b"POST /models/m/invoke HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\n" + header)
            silent.sendall(b"\r\n\r\n" + begun)
            status, body = answer_on(silent)
            assert (status, json.loads(body)["error"]["code"]) == (408, "request_timeout")
            assert "no part of the body came for 1 seconds" in json.loads(body)["error"]["message"]
            assert silent.recv(1) == b""


@pytest.mark.parametrize("header", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
def test_a_caller_who_sends_the_body_a_byte_at_a_time_gets_408(tmp_path: Path, header: bytes) -> None:
    with (
        serving(tmp_path, SAGEMAKER_MULTI_MODEL="true", SERVING_BODY_SECONDS="2") as (client, _),
        connect(client) as slow,
    ):
        slow.sendall(b"POST /models/m/invoke HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\n" + header + b"\r\n\r\n")
        answered = False
        while not answered:  # it never falls silent
            slow.sendall(b"1\r\n1\r\n" if b"chunked" in header else b"1")
            answered = bool(select.select([slow], [], [], 0.1)[0])
        status, body = answer_on(slow)
        assert (status, json.loads(body)["error"]["code"]) == (408, "request_timeout")
        assert "did not come whole within 2 seconds" in json.loads(body)["error"]["message"]
        assert client.get("/ping").status_code == 200


def test_requests_that_come_together_are_answered_in_order(client: httpx.Client) -> None:
    body = b"1,2,3\n"
    post = b"POST /models/m/invoke HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nContent-Length: 6\r\n\r\n" + body
    with connect(client) as pipelined:
        pipelined.sendall(PING + post + PING[:9])
        received = b""
        while received.count(b"HTTP/1.1 200") < 2 or b"predictions" not in received:
            piece = pipelined.recv(65_536)
            assert piece, received
            received += piece
        pipelined.sendall(PING[9:])
        while received.count(b"HTTP/1.1 200") < 3:
            piece = pipelined.recv(65_536)
            assert piece, received
            received += piece


def test_a_header_without_an_end_is_refused(client: httpx.Client) -> None:
    with connect(client) as endless:
        endless.sendall(b"GET /ping HTTP/1.1\r\nX: " + b"x" * (HEADER_LIMIT - 20))
        status, body = answer_on(endless)
        assert (status, json.loads(body)["error"]["code"]) == (431, "request_header_fields_too_large")


@pytest.mark.parametrize("text", [b"\r\n\r\n", b"no http\r\n\r\n", b"\x16\x03\x01\x02\r\n\r\n"])
def test_what_is_no_header_is_400(client: httpx.Client, text: bytes) -> None:
    with connect(client) as odd:
        odd.sendall(text)
        status, body = answer_on(odd)
        assert (status, json.loads(body)["error"]["code"]) == (400, "bad_request")


def test_an_address_that_is_too_long_is_414(client: httpx.Client) -> None:
    with connect(client) as odd:
        odd.sendall(b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n")
        status, body = answer_on(odd)
        assert (status, json.loads(body)["error"]["code"]) == (414, "request_uri_too_long")


def test_a_caller_who_leaves_in_the_header_is_forgotten(client: httpx.Client) -> None:
    for _ in range(1_200):  # more than the connections that a worker has
        leaving = connect(client)
        leaving.sendall(PING[:9])
        leaving.close()
    assert client.get("/ping").status_code == 200


def test_a_server_ends_although_a_header_is_open(tmp_path: Path) -> None:
    with serving(tmp_path, SAGEMAKER_MULTI_MODEL="true") as (client, process), connect(client) as slow:
        slow.sendall(PING[:9])
        assert client.get("/ping").status_code == 200
        process.terminate()
        assert process.wait(timeout=200) == 0
