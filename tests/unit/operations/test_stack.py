"""Which AWS and which stack a command works on, and what it says when there is none."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from operations import stack as stack_module
from operations.errors import OperationError
from operations.laptop import Laptop, running
from operations.stack import Stack, StackChoice, find_stack
from tenx.main import main

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
        ["replay", "r1"],
        ["status"],
        ["follow", "r1"],
        ["stop", "r1"],
    ],
)
def test_without_a_laptops_aws_or_an_account_every_command_says_what_to_do(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "start the laptop's AWS with `tenx up` (`make up`)" in said
    assert "AWS_PROFILE and AWS_REGION" in said
    assert len(said.strip().splitlines()) == 1


def test_a_state_folder_without_a_server_is_named(tmp_path: Path) -> None:
    options = StackChoice("any", laptop=tmp_path)
    with pytest.raises(OperationError, match=f"no laptop's AWS runs with the state folder {tmp_path}: start it with"):
        find_stack(options)


def test_a_server_that_was_killed_is_to_be_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    folder = state_folder(tmp_path / "aws", "http://127.0.0.1:9")
    with pytest.raises(OperationError, match=r"does not answer at http.*: start it again with `tenx up`"):
        find_stack(StackChoice("any", laptop=folder))


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(OperationError, match="nobody"):
        find_stack(StackChoice("any"))


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


def test_a_stage_is_a_configuration_of_samconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, Laptop | None]] = []
    monkeypatch.setattr(stack_module, "read_stack", lambda *asked: read.append(asked))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "elsewhere")
    find_stack(StackChoice(stage="dev"))
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-west-1"
    find_stack(StackChoice("mine", stage="prod"))
    assert read == [("tenant-experience-dev", None), ("mine", None)]


def test_an_account_is_never_mistaken_for_the_laptops_aws_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, Laptop | None]] = []
    monkeypatch.setattr(stack_module, "read_stack", lambda *asked: read.append(asked))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    state_folder(tmp_path / "aws", "http://127.0.0.1:9")
    find_stack(StackChoice(stage="dev"))
    assert read[-1] == ("tenant-experience-dev", None)
    assert "AWS_ENDPOINT_URL" not in os.environ
    find_stack(StackChoice())
    assert read[-1][1] is not None


def test_an_unknown_stage_is_named_with_the_known_ones() -> None:
    with pytest.raises(OperationError, match="no stage 'test': choose one of local, dev, prod"):
        find_stack(StackChoice(stage="test"))


def test_the_region_of_the_aws_command_line_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_module, "read_stack", lambda *_asked: None)
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    find_stack(StackChoice())
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-north-1"
