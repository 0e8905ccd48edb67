"""Bad input ends in a named user error that says which file and which column; nothing that answers is changed."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from operations.batch import RawBatch
from operations.releases import FinishedRelease
from tests.support.flow import Flow

HEADER = (
    "event_id,tenant_id,portfolio_id,channel,direction,opened_at,first_response_at,resolved_at,"
    "answered,escalated,sentiment"
)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BAD_INPUTS = {
    "empty": ("messages.csv", b"", ["messages.csv"]),
    "missing_column": (
        "messages.csv",
        HEADER.replace("tenant_id,", "").encode() + b"\n1,all,call,inbound,2026-01-01,,,,,\n",
        ["messages.csv", "tenant_id"],
    ),
    "wrong_type": ("messages.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, ["messages.csv"]),
    "corrupt_parquet": ("messages.parquet", b"PAR1" + b"\x00" * 500 + b"PAR1", ["messages.parquet"]),
}


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_bad_input_is_refused_by_name_and_the_api_goes_on(
    flow: Flow, first: FinishedRelease, tmp_path: Path, kind: str
) -> None:
    name, content, named = BAD_INPUTS[kind]
    before = flow.live()
    work = RawBatch(f"bad-{kind}", (write(tmp_path / name, content),), {"source": "events"})
    done = flow.release(work)
    assert done.execution["status"] == "FAILED"
    assert done.visited[-1] == "DataRefused"
    assert done.execution["error"].startswith("UserError.")
    for word in named:
        assert word in done.execution["cause"]
    mail = flow.mailbox.wait_for(f"Release {done.release}: its data cannot be used")
    assert f"raw/tenant_experience/bad-{kind}/" in mail["text"]
    for word in named:
        assert word in mail["text"]
    assert "Traceback" not in mail["text"]
    assert flow.live() == before
    assert flow.packages(done.release) == []
    assert flow.get("/tenants/NOBODY-0/prediction").status_code == 404
    assert first.execution["status"] == "SUCCEEDED"


def test_a_manifest_that_asks_for_an_unknown_source_is_refused_by_key(flow: Flow, tmp_path: Path) -> None:
    work = RawBatch("bad-source", (write(tmp_path / "a.csv", HEADER.encode()),), {"source": "no_such_source"})
    done = flow.release(work)
    assert done.visited[-1] == "DataRefused"
    assert "no_such_source" in done.execution["cause"]


def test_a_batch_of_an_unknown_use_case_is_told_by_email(flow: Flow) -> None:
    boto3.client("s3").put_object(Bucket=flow.bucket, Key="raw/no_such_use_case/b/manifest.json", Body=b"{}")
    mail = flow.mailbox.wait_for("Batch b was refused")
    assert "raw/no_such_use_case/b/" in mail["text"]
    assert "no_such_use_case" in mail["text"]
    assert "tenant_experience" in mail["text"]


def test_a_manifest_at_the_wrong_depth_is_told_by_email(flow: Flow) -> None:
    key = "raw/tenant_experience/2026/november/manifest.json"
    boto3.client("s3").put_object(Bucket=flow.bucket, Key=key, Body=b"{}")
    mail = flow.mailbox.wait_for("Batch november was refused")
    assert key in mail["text"]


def test_too_few_tenants_for_an_honest_model_is_an_algorithm_error(flow: Flow, tmp_path: Path) -> None:
    rows = [f"e{n},T{n % 20},all,ticket,inbound,2025-{n % 12 + 1:02d}-01T00:00:00Z,,,,false," for n in range(200)]
    content = "\n".join([HEADER, *rows]).encode()
    manifest = {"source": "events", "as_of": "2026-01-01T00:00:00Z"}
    done = flow.release(RawBatch("few", (write(tmp_path / "few.csv", content),), manifest))
    assert done.execution["status"] == "FAILED"
    assert done.visited[-1] in ("DataRefused", "ModelsRefused")
    assert done.execution["error"].startswith("AlgorithmError.")
    assert "500" in done.execution["cause"]
