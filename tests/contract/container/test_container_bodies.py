"""How bodies arrive: in chunks or with a length, at the limit, slowly, cut off. Real sockets to a real server."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from container import model_store
from container.model_store import ModelStore
from container.serving_errors import ModelAlreadyLoadedError, ModelLoadTimeoutError
from tenant_experience.models.served_model import ServedModel
from tests.support.serving_process import serving
from tests.support.small_model import write_model

LIMIT = 1 << 20
CSV = {"Content-Type": "text/csv", "Accept": "text/csv"}


def rows(size: int) -> bytes:
    """Rows of three cells, together exactly ``size`` bytes long."""
    row = b"1,2,3\n"
    whole, rest = divmod(size, len(row))
    return row * (whole - 1) + b"1,2," + b"3" + b" " * rest + b"\n"


def connection(client: httpx.Client) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(client.base_url.host, client.base_url.port, timeout=200)


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with a length"])
@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT])
def test_a_body_is_read_whole_or_refused(multi_model: httpx.Client, loaded: str, size: int, chunked: bool) -> None:
    body = rows(size)
    assert len(body) == size
    asking = connection(multi_model)
    for _attempt in range(2):  # on one connection: a refusal must not spoil what follows
        sent = (body[place : place + 70_000] for place in range(0, size, 70_000)) if chunked else body
        asking.request("POST", f"/models/{loaded}/invoke", body=sent, headers=CSV, encode_chunked=chunked)
        answer = asking.getresponse()
        text = answer.read()
        if size > LIMIT:
            assert answer.status == 413
            assert b"request_entity_too_large" in text
        else:
            assert (answer.status, len(text.splitlines())) == (200, len(body.splitlines()))
    asking.close()


@pytest.mark.parametrize("chunk", [b"zz\r\n1,2,3\r\n0\r\n\r\n", b"5\r\n1,2,3XX0\r\n\r\n", b"-5\r\n1,2,3\r\n0\r\n\r\n"])
def test_malformed_chunks_are_400(multi_model: httpx.Client, loaded: str, chunk: bytes) -> None:
    assert status_line(multi_model, loaded, b"Transfer-Encoding: chunked", chunk) == 400


@pytest.mark.parametrize(
    ("header", "body"), [(b"Content-Length: 60", b"1,2,3\n"), (b"Transfer-Encoding: chunked", b"6\r\n1,2,3\n\r\n")]
)
def test_a_body_that_is_cut_off_is_400(multi_model: httpx.Client, loaded: str, header: bytes, body: bytes) -> None:
    assert status_line(multi_model, loaded, header, body) == 400


def status_line(client: httpx.Client, name: str, header: bytes, body: bytes) -> int:
    with open_request(client, name, header) as sending:
        sending.sendall(body)
        sending.shutdown(socket.SHUT_WR)
        return int(sending.recv(65_536).split()[1])


def open_request(client: httpx.Client, name: str, header: bytes) -> socket.socket:
    sending = socket.create_connection((client.base_url.host, client.base_url.port), timeout=200)
    sending.sendall(
        b"POST /models/" + name.encode() + b"/invoke HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\n" + header
    )
    sending.sendall(b"\r\n\r\n")
    return sending


@pytest.fixture
def open_bodies(multi_model: httpx.Client, loaded: str) -> Iterator[list[socket.socket]]:
    """Requests whose bodies have begun, and do not go on."""
    sending = [open_request(multi_model, loaded, b"Content-Length: 12") for _ in range(40)]
    for each in sending:
        each.sendall(b"1,2,3\n")
    yield sending
    for each in sending:
        each.close()


def test_ping_and_others_answer_while_slow_bodies_are_open(
    multi_model: httpx.Client, loaded: str, open_bodies: list[socket.socket]
) -> None:
    with httpx.Client(base_url=multi_model.base_url, timeout=200) as fresh:
        assert fresh.get("/ping").status_code == 200
        assert fresh.post(f"/models/{loaded}/invoke", content=b"1,2,3\n", headers=CSV).status_code == 200
    for each in open_bodies:  # every one of them is still open, and is answered once it is whole
        each.sendall(b"1,2,3\n")
        assert each.recv(65_536).split()[1] == b"200"


@pytest.mark.slow
def test_more_slow_bodies_than_there_are_places_leave_ping_alone(tmp_path: Path) -> None:
    with serving(tmp_path, SAGEMAKER_MULTI_MODEL="true", SERVING_MODEL_MEMORY_MIB="2") as (client, _):
        folder = write_model(tmp_path / "model")
        assert client.post("/models", json={"model_name": "m", "url": str(folder)}).status_code == 200
        sending = [open_request(client, "m", b"Content-Length: 12") for _ in range(150)]
        refused = [each for each in sending if _is_answered(each)]
        assert all(each.recv(65_536).split()[1] == b"503" for each in refused)
        with httpx.Client(base_url=client.base_url, timeout=200) as fresh:
            assert fresh.get("/ping").status_code == 200
        for each in sending:
            each.close()


def _is_answered(connected: socket.socket) -> bool:
    connected.setblocking(False)
    try:
        return bool(connected.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        connected.setblocking(True)


def test_a_load_that_hangs_ends_and_its_name_can_be_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, goes_on, load = write_model(tmp_path / "model"), threading.Event(), ServedModel.load
    store = ModelStore(1 << 30)

    def hang(path: Path) -> ServedModel:
        goes_on.wait()
        return load(path)

    monkeypatch.setattr(ServedModel, "load", hang)
    monkeypatch.setattr(model_store, "LOAD_SECONDS", 0.05)
    with pytest.raises(ModelLoadTimeoutError, match="did not load within"):
        store.load("m", str(folder))
    goes_on.set()
    monkeypatch.setattr(model_store, "LOAD_SECONDS", 200)
    assert store.load("m", str(folder)).name == "m"
    with pytest.raises(ModelAlreadyLoadedError), ThreadPoolExecutor(1) as pool:
        pool.submit(store.load, "m", str(folder)).result()
