"""PublishAnswers writes several files to the answer table at once, each in a process of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sagemaker_scripts.publish_answers import keep_files
from tenant_experience.scoring.answers import write_rows
from tests.support.kept_answers import row_of


class Table(ThreadingHTTPServer):
    """Takes what is put into it, from any process."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.records: list[str] = []


class Taker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Table

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.records.append(asked["Item"]["record"]["S"])
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    with Table() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("ANSWER_TABLE", "answers")
        monkeypatch.setenv("ANSWER_RETENTION_DAYS", "400")
        yield server
        server.shutdown()


@pytest.mark.slow
def test_every_row_of_every_file_is_kept_once(tmp_path: Path, table: Table) -> None:
    paths = [tmp_path / f"part-{place:05d}.parquet" for place in range(3)]
    for place, path in enumerate(paths):
        write_rows((row_of(f"K{place}-{number}", 0.5) for number in range(20)), path)
    found = keep_files(paths, "homes", "bad")
    assert (found.written, found.kept) == (60, 0)
    assert sorted(table.records) == sorted(f"homes#K{place}-{number}" for place in range(3) for number in range(20))
