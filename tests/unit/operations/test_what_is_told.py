"""What a person is told: how a release goes on after Ctrl-C, how it ended, and where everything is."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from demo import demo as demo_module
from operations import releases, status, watch
from operations.backfill import Snapshot, backfill, dates_between, show_snapshots
from operations.batch import RawBatch, timed_name
from operations.errors import Interrupted, OperationError
from operations.invoke import invoke
from operations.laptop import Laptop
from operations.releases import FinishedRelease, Listener, follow_release, served_by
from operations.stack import Stack


class Machine:
    """Step Functions with one release that never ends."""

    class exceptions:  # noqa: N801  # boto3's name
        ExecutionDoesNotExist = KeyError

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803  # boto3's name
        if not executionArn.endswith(":r1"):
            raise KeyError(executionArn)
        return {"status": "RUNNING", "executionArn": executionArn}

    def list_executions(self, **_asked: Any) -> dict[str, Any]:
        return {"executions": [{"name": "r1"}]}


STACK = Stack("s", {"StateMachineArn": "arn:aws:states:us-east-1:1:stateMachine:m"}, (), None)


def test_ctrl_c_while_a_release_is_followed_says_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(releases.boto3, "client", lambda _name: Machine())
    monkeypatch.setattr(releases, "follow", interrupt)
    with pytest.raises(
        Interrupted, match=r"Release r1 goes on .*`tenx follow r1` follows it .*`tenx stop r1` stops it"
    ):
        follow_release(STACK, "r1", Listener())


def test_a_batch_without_training_is_told_by_which_release_it_is_answered() -> None:
    output = {"release": "r2", "answered_by": "r1", "as_of": "2026-11-01T00:00:00Z"}
    done = FinishedRelease("r2", {"status": "SUCCEEDED", "output": json.dumps(output)}, ["Served"], 1.0)
    assert served_by(done)[0] == "nothing was trained, and release r1 answers for these records as of " + (
        "2026-11-01T00:00:00Z."
    )
    assert "reports/r2/data_quality.html" in served_by(done)[1]
    del output["answered_by"]
    assert served_by(FinishedRelease("r2", {"output": json.dumps(output)}, ["Released"], 1.0)) == []


def test_two_uploads_at_the_same_time_each_follow_their_own_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before our release starts, somebody else's does, and so does a recording of the history of our batch."""
    inputs = {
        "old": {"use_case": "u", "batch": "ours"},
        "a-theirs": {"use_case": "u", "batch": "theirs"},
        "b-other-use-case": {"use_case": "v", "batch": "ours"},
        "c-history": {"use_case": "u", "batch": "ours", "history_only": True},
        "d-ours": {"use_case": "u", "batch": "ours", "processing": {}},
    }
    looks = [["old"], ["old", "a-theirs"], ["old", "a-theirs", "b-other-use-case", "c-history"], list(inputs)]

    class Busy(Machine):
        def list_executions(self, **_asked: Any) -> dict[str, Any]:
            return {"executions": [{"executionArn": name} for name in (looks.pop(0) if looks[1:] else looks[0])]}

        def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803  # boto3's name
            return {"input": json.dumps(inputs[executionArn])}

    monkeypatch.setattr(releases.boto3, "client", lambda _name: Busy())
    monkeypatch.setattr(watch, "_START_POLL_SECONDS", 0)
    monkeypatch.setattr(releases, "upload", lambda *_given: None)
    stack = Stack("s", {"StateMachineArn": "m", "DataBucket": "b"}, (), None)
    assert releases.start(stack, RawBatch("ours", (), use_case="u")) == "d-ours"


def test_two_batches_of_one_file_in_one_second_have_two_names() -> None:
    assert len({timed_name("tickets") for _ in range(3)}) > 1


@pytest.mark.parametrize("name", ["r2", "no such", "../r1", ""])
def test_an_unknown_release_is_named_with_the_newest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases.boto3, "client", lambda _name: Machine())
    with pytest.raises(OperationError, match=rf"there is no release {name!r} here: the newest are r1"):
        follow_release(STACK, name, Listener())


def test_a_rejection_that_was_decided_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    execution = {"status": "FAILED", "error": "ReleaseRejected", "cause": "no", "executionArn": "arn"}
    stack = Stack("s", {}, (), Laptop(Path(), "http://here", "http://here/mail"))
    monkeypatch.setattr(demo_module.run, "release", lambda *_given: FinishedRelease("r1", execution, [], 1.0))
    monkeypatch.setattr(demo_module.summary, "write", lambda *_given: {"release": "r1"})
    monkeypatch.setattr(demo_module, "describe", lambda _stack: {})
    monkeypatch.setattr(demo_module, "show_addresses", lambda *_given: None)
    for choice, ends_well in (("reject", True), ("approve", False)):
        printed = Console(file=io.StringIO(), width=300)
        figures = demo_module.demo(stack, RawBatch("b", ()), choice, None, printed)
        told = printed.file.getvalue()  # type: ignore[attr-defined]
        assert (figures is not None) is ends_well
        assert ("Rejected as decided" in told) is ends_well
        assert ("FAILED" in told) is not ends_well


def test_the_addresses_of_a_stack_are_told() -> None:
    found = {
        "where": "stack s of the laptop's AWS",
        "api_url": "http://here/v1",
        "api_key_id": "id",
        "api_key": "secret",
        "bucket": "data",
        "mailbox_url": "http://here/mail",
        "live": {"tenant_experience": "r1"},
        "running": ["r2"],
    }
    printed = Console(file=io.StringIO(), width=300)
    status.show(found, printed)
    lines = [line.strip() for line in printed.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert lines == [
        "Stack s of the laptop's AWS",
        "API      http://here/v1",
        "API key  secret",
        "bucket   data",
        "mailbox  http://here/mail",
        "live     r1 (tenant_experience)",
        "running  r2: follow it with tenx follow r2, stop it with tenx stop r2",
    ]


def test_a_backfill_prints_a_table_with_a_reason_in_words() -> None:
    printed = Console(file=io.StringIO(), width=200)
    show_snapshots(
        [Snapshot(datetime(2026, 1, 1, tzinfo=UTC), None, "REFUSED", "too_early: too little was known")], printed
    )
    told = printed.file.getvalue()  # type: ignore[attr-defined]
    assert "2026-01-01" in told
    assert "{" not in told


def test_in_an_account_the_key_and_the_mailbox_are_named_and_not_shown() -> None:
    found = {"api_url": "https://api/v1", "api_key_id": "k1", "api_key": None, "bucket": "data", "mailbox_url": None}
    printed = Console(file=io.StringIO(), width=300)
    status.show_addresses(found, printed)
    told = printed.file.getvalue()  # type: ignore[attr-defined]
    assert "aws apigateway get-api-key --include-value --api-key k1" in told
    assert "the approver's own" in told


def test_a_function_of_an_account_is_not_invoked(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="invoke runs functions of the laptop's stack only: use `aws lambda"):
        invoke(STACK, "publish_release", tmp_path, b"{}")


@mock_aws
def test_the_newest_complete_batch_is_backfilled_and_an_incomplete_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    stack = Stack("s", {"DataBucket": "data"}, (), Laptop(Path(), "http://here", "http://here/mail"))
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="data")
    printed = Console(file=io.StringIO(), width=300)
    with pytest.raises(OperationError, match="there is no complete batch below s3://data/raw/tenant_experience/"):
        backfill(stack, "tenant_experience", None, [], printed)
    s3.put_object(Bucket="data", Key="raw/tenant_experience/half/tickets.csv", Body=b"")
    s3.put_object(Bucket="data", Key="raw/tenant_experience/whole/manifest.json", Body=b"{}")
    with pytest.raises(OperationError, match="there is no complete batch 'half'"):
        backfill(stack, "tenant_experience", "half", [], printed)
    assert backfill(stack, "tenant_experience", None, [], printed) == []
    assert "Recording batch whole" in printed.file.getvalue()  # type: ignore[attr-defined]


def test_the_dates_of_a_backfill_include_the_last() -> None:
    def dates(first: str, last: str, days: int) -> list[str]:
        found = dates_between(date.fromisoformat(first), date.fromisoformat(last), timedelta(days=days))
        return [f"{each:%m-%d}" for each in found]

    assert dates("2026-01-01", "2026-01-15", 7) == ["01-01", "01-08", "01-15"]
    assert dates("2026-01-01", "2026-01-14", 7) == ["01-01", "01-08"]
    assert dates("2026-01-01", "2026-01-01", 30) == ["01-01"]
