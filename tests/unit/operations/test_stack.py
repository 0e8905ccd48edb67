"""Which AWS and which stack a command works on, and what it says when there is none."""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path

import pytest

from operations import stack as stack_module
from operations.__main__ import main
from operations.errors import OperationError
from operations.laptop import Laptop, running
from operations.stack import Stack, find_stack

OUTPUTS = {
    "ApiUrl": "https://abc.execute-api.eu-west-1.amazonaws.com/v1",
    "ApiId": "abc",
    "DataBucket": "data",
    "EndpointName": "tenant-experience",
}


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")  # restored afterwards, also where a command sets it
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(stack_module, "DEFAULT_STATE", tmp_path / "aws")


def state_folder(folder: Path, url: str) -> Path:
    """A state folder as a running laptop's AWS leaves it."""
    folder.mkdir()
    (folder / "server.json").write_text(json.dumps({"url": url, "mailbox_url": f"{url}/_local/mailbox"}))
    names = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    lines = [f"{name}={value}" for name, value in {**names, "AWS_DEFAULT_REGION": "us-east-1"}.items()]
    (folder / "env").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["erase", "T1"],
        ["backfill", "--from", "2026-01-01", "--to", "2026-02-01"],
        ["replay", "--release", "r1"],
    ],
)
def test_without_a_laptops_aws_or_an_account_every_command_says_what_to_do(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    said = capsys.readouterr().out
    assert "start the laptop's AWS with `make up`" in said
    assert "AWS_PROFILE and AWS_REGION" in said
    assert len(said.strip().splitlines()) == 1


def test_a_state_folder_without_a_server_is_named(tmp_path: Path) -> None:
    options = argparse.Namespace(stack="any", laptop=tmp_path)
    with pytest.raises(OperationError, match=f"no laptop's AWS runs with the state folder {tmp_path}: start it with"):
        find_stack(options)


def test_a_server_that_was_killed_is_to_be_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    folder = state_folder(tmp_path / "aws", "http://127.0.0.1:9")
    with pytest.raises(OperationError, match=r"does not answer at http.*: start it again with `make up`"):
        find_stack(argparse.Namespace(stack="any", laptop=folder))


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(OperationError, match="nobody"):
        find_stack(argparse.Namespace(stack="any", laptop=None))


def test_a_stopped_laptops_aws_is_none(tmp_path: Path) -> None:
    assert running(tmp_path) is None


def test_a_stack_knows_where_its_api_and_its_mailbox_are(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path, "http://127.0.0.1:4566", "http://127.0.0.1:4566/_local/mailbox")
    on_laptop, in_account = Stack("s", OUTPUTS, (), laptop), Stack("s", OUTPUTS, (), None)
    assert on_laptop.api_url == "http://127.0.0.1:4566/_aws/execute-api/abc/v1"
    assert in_account.api_url == OUTPUTS["ApiUrl"]
    assert on_laptop.mailbox_url == laptop.mailbox_url
    with pytest.raises(OperationError, match="approver's own mailbox"):
        _ = in_account.mailbox_url


def test_a_resource_that_the_stack_lacks_is_named() -> None:
    found = Stack("s", OUTPUTS, (("DataBucket", "AWS::S3::Bucket", "data"),), None)
    assert found.physical_id("DataBucket") == "data"
    assert found.of_type("AWS::S3::Bucket") == ["data"]
    with pytest.raises(OperationError, match="stack s has no resource StartRelease: deploy"):
        found.physical_id("StartRelease")
