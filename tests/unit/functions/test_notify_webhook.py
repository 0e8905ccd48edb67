"""Notices are posted to a real server over TLS; its address is a secret that no log and no error shows."""

from __future__ import annotations

import contextlib
import datetime
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto import mock_aws

from tenant_experience.errors import PlatformError
from tests.support.function_module import function_module
from tests.support.places import ROOT

EVENT: dict[str, Any] = json.loads((ROOT / "events" / "notify_webhook.json").read_text())
PRIVATE_PATH = "/services/T0/B0/the-secret-part"
# Unit tests reach no network (conftest); these connect to this machine only.
CONNECT = socket.socket.connect


@dataclass
class Server:
    """A server that answers as it is told, and keeps what it was sent."""

    port: int
    answers: list[int] = field(default_factory=list)
    location: str = ""
    received: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}{PRIVATE_PATH}?k=v"


def certificate(folder: Path) -> Path:
    """A key with its certificate for localhost, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    def connect(connecting: socket.socket, address: Any) -> None:
        assert address[0] in ("127.0.0.1", "::1"), address
        CONNECT(connecting, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    found = Server(0)

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            status = found.answers.pop(0) if found.answers else 200
            if not status:  # hang up
                self.close_connection = True
                return
            self.send_response(status)
            if found.location:
                self.send_header("Location", found.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    found.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield found
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "functions" / "notify_webhook"))
    return function_module("notify_webhook")


@pytest.fixture
def post(app: ModuleType) -> Callable[[str], int]:
    """Posts, and never pauses."""
    return lambda address: app.post(address, b"{}", pause=lambda _seconds: None)  # type: ignore[no-any-return]


def test_a_notice_is_posted_as_the_stack_says(
    app: ModuleType, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with mock_aws():
        secret = boto3.client("secretsmanager").create_secret(Name="webhook", SecretString=server.address)
        monkeypatch.setenv("WEBHOOK_SECRET", secret["ARN"])
        monkeypatch.setenv("WEBHOOK_FORMAT", "json")
        assert app.handler(EVENT, None) == {"posted": 1}
        server.answers.append(404)
        with pytest.raises(PlatformError) as refused:
            app.handler(EVENT, None)
    path, content = server.received[0]
    assert path == f"{PRIVATE_PATH}?k=v"
    assert json.loads(content)["subject"] == EVENT["Records"][0]["Sns"]["Subject"]
    said = capsys.readouterr().out + str(refused.value) + repr(refused.value.__context__)
    assert "answered 404" in said
    for secret_part in ("the-secret-part", "localhost", "k=v"):
        assert secret_part not in said


@pytest.mark.parametrize("brief", [500, 503, 429, 408, 0])
def test_a_brief_failure_is_tried_again(server: Server, post: Callable[[str], int], brief: int) -> None:
    server.answers += [brief, brief]
    assert post(server.address) == 200
    assert len(server.received) == 3


@pytest.mark.parametrize("lasting", [500, 0])
def test_a_lasting_failure_is_named_after_three_attempts(
    server: Server, post: Callable[[str], int], lasting: int
) -> None:
    server.answers += [lasting] * 9
    with pytest.raises(PlatformError, match="webhook_failed"):
        post(server.address)
    assert len(server.received) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_repeated(server: Server, post: Callable[[str], int], status: int) -> None:
    server.answers.append(status)
    with pytest.raises(PlatformError, match=f"it answered {status}"):
        post(server.address)
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: Server, post: Callable[[str], int], status: int) -> None:
    server.answers.append(status)
    server.location = f"https://127.0.0.1:{server.port}/elsewhere"
    with pytest.raises(PlatformError, match="redirect, which is not followed"):
        post(server.address)
    assert [path for path, _ in server.received] == [f"{PRIVATE_PATH}?k=v"]


@pytest.mark.parametrize(
    "address", ["http://localhost/x", "ftp://x/y", "https://", "https://user:word@host/x", "", "//host"]
)
def test_only_https_is_posted_to(post: Callable[[str], int], address: str) -> None:
    with pytest.raises(PlatformError, match="bad_webhook"):
        post(address)


def test_a_host_whose_certificate_is_not_trusted_gets_nothing(
    server: Server, post: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(PlatformError, match="SSLCertVerificationError"):
        post(server.address)
    assert server.received == []


def test_a_host_that_does_not_listen_is_named_by_the_kind_of_error(server: Server, post: Callable[[str], int]) -> None:
    with contextlib.closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"https://localhost:{unused.getsockname()[1]}{PRIVATE_PATH}"
        with pytest.raises(PlatformError, match="ConnectionRefusedError"):
            post(address)
    assert server.received == []


def test_nothing_of_it_exists_without_an_address() -> None:
    text = (ROOT / "template.yaml").read_text()
    for name in ("WebhookSecret", "NotifyWebhook"):
        assert text.partition(f"\n  {name}:\n")[2].splitlines()[1].strip() == "Condition: HasWebhook"
    assert "    NoEcho: true\n" in text.partition("\n  WebhookUrl:\n")[2].partition("\n  WebhookFormat:")[0]
