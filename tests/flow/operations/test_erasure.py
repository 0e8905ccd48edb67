"""The erasure drill: a tenant that is everywhere is nowhere afterwards, and nobody else notices."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pyarrow.parquet as parquet
import pytest

from operations.batch import RawBatch
from operations.erasure.proof import describe_id
from operations.releases import executions, wait_for_new_execution
from tenx.main import main
from tests.support import residues
from tests.support.drives import Drive
from tests.support.flow import STATE, Flow

TENANTS = 700


@dataclass
class Erased:
    """A release, and what was seen before and after one of its tenants was erased."""

    work: RawBatch
    release: str
    tenant: str
    others: list[str]
    features: dict[str, Any]
    predictions: list[dict[str, Any]]
    while_it_ran: tuple[int, str]


def erase(tenant: str, *words: str) -> tuple[int, str]:
    """The command: its exit code and what it printed."""
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(printed):
        code = main(["erase", tenant, "--laptop", str(STATE), *words])
    return code, printed.getvalue()


def batch_with_everything(flow: Flow) -> RawBatch:
    """CSV, CSV.gz, JSON lines, Parquet, a zip archive, and for each tenant a row that goes to the quarantine."""
    work = flow.events(seed=30, tenants=TENANTS)
    folder = work.files[0].parent
    opened = f"{datetime.now(UTC) - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
    header = "event_id,tenant_id,channel,opened_at,first_response_at,resolved_at\n"
    rows = {
        channel: header + "".join(f"{channel}-{n},T{n:06d},{channel},{opened},,\n" for n in range(TENANTS))
        for channel in ("work_order", "smoke signal")
    }
    (folder / "broken.csv").write_text(rows["smoke signal"])
    with zipfile.ZipFile(folder / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2026/orders.csv", rows["work_order"])
    return RawBatch(work.name, tuple(sorted(folder.iterdir())), work.manifest)


def rows_of(flow: Flow, release: str) -> dict[str, dict[str, Any]]:
    body = boto3.client("s3").get_object(Bucket=flow.bucket, Key=f"features/{release}/features.parquet")["Body"].read()
    return {row["tenant_id"]: row for row in parquet.read_table(io.BytesIO(body)).to_pylist()}


def scatter(flow: Flow, tenant: str) -> None:
    """More places: old versions, deleted objects, names of objects, a page, a log."""
    s3, logs = boto3.client("s3"), boto3.client("logs")
    for key, bodies in {
        "predictions/1/all.jsonl": [json.dumps({"tenant_id": tenant}) + "\n", '{"tenant_id": "T-other"}\n'],
        f"predictions/1/{tenant}.json": ["{}"],
        "reports/1/page.html": [f"<td>{tenant}</td>"],
        "reports/1/text.txt": ["first", f"then {tenant}"],
    }.items():
        for body in bodies:
            s3.put_object(Bucket=flow.bucket, Key=key, Body=body.encode())
    s3.put_object(Bucket=flow.bucket, Key="reports/1/utf16.txt", Body=f"for {tenant}.".encode("utf-16"))
    s3.put_object(Bucket=flow.bucket, Key="reports/1/gone.txt", Body=tenant.encode())
    s3.delete_object(Bucket=flow.bucket, Key="reports/1/gone.txt")
    group = "/tenant-experience/functions"
    logs.create_log_stream(logGroupName=group, logStreamName="a-slip")
    logs.put_log_events(
        logGroupName=group,
        logStreamName="a-slip",
        logEvents=[{"timestamp": 1_795_000_000_000, "message": f"saw {tenant}"}],
    )


@pytest.fixture(scope="module")
def erased(flow: Flow) -> Erased:
    work = batch_with_everything(flow)
    while_it_ran: list[tuple[int, str]] = []
    done = flow.release(work, before=lambda _mail: while_it_ran.append(erase("T000001")))
    assert done.execution["status"] == "SUCCEEDED", done.execution.get("cause")
    samples = flow.json_object(f"reports/{done.release}/0/smoke_test.json")["models"][0]["samples"]
    # T000000 also stands in the names of objects, as the midnight of a date.
    tenant = next(each["instance"]["tenant_id"] for each in samples if each["instance"]["tenant_id"] != "T000000")
    features = rows_of(flow, done.release)
    others = [each for each in features if each != tenant][:99]
    assert flow.get(f"/tenants/{tenant}/features").status_code == 200
    assert flow.get(f"/tenants/{tenant}/prediction").status_code == 200
    assert len(flow.predictions([tenant, *others])) == 100
    scatter(flow, tenant)
    return Erased(work, done.release, tenant, others, features, flow.predictions(others), while_it_ran[0])


def test_it_refuses_while_a_release_runs_which_would_write_the_tenant_again(erased: Erased) -> None:
    code, said = erased.while_it_ran
    assert code == 1
    assert "is running and would write the id again" in said


@pytest.mark.slow
def test_looking_first_changes_nothing(flow: Flow, erased: Erased) -> None:
    before = sorted(residues.in_account(erased.tenant))
    for place in (
        "tickets.csv",
        "calls.csv.gz!gz",
        "work_orders.jsonl",
        "emails.parquet!tenant_id",
        "more.zip!2026",
    ):
        assert any(place in hit for hit in before), place
    for place in ("quarantine.parquet!raw_tenant_id", "groups.parquet", "smoke_test.json", "feature-store/", "saw"):
        assert any(place in hit for hit in before), place
    code, said = erase(erased.tenant, "--dry-run")
    assert code == 0
    assert erased.tenant not in said
    assert sorted(residues.in_account(erased.tenant)) == before
    assert flow.get(f"/tenants/{erased.tenant}/features").status_code == 200


@pytest.mark.slow
def test_one_that_dies_half_way_says_so_and_is_completed_by_the_next(flow: Flow, erased: Erased) -> None:
    refusal = {"operation": "s3:DeleteObject", "skip": 4, "times": 1, "error": {"code": "AccessDenied", "status": 403}}
    with flow.failing(refusal) as fired:
        code, said = erase(erased.tenant)
        assert fired() == [1]
    assert code == 1
    assert "AccessDenied" in said


def test_it_says_what_it_removed_and_that_nothing_is_left(erased: Erased) -> None:
    """After one that died half-way, where that test ran."""
    code, said = erase(erased.tenant)
    assert code == 0, said
    assert "Residues: 0" in said
    assert erased.tenant not in said


def test_nothing_of_the_tenant_is_left_in_any_object_table_log_or_file(erased: Erased) -> None:
    assert residues.in_account(erased.tenant) == []
    assert residues.in_folder(STATE, erased.tenant) == []


def test_the_lines_of_each_part_are_those_of_the_tenants_that_are_named(flow: Flow, erased: Erased) -> None:
    s3, lines, named = boto3.client("s3"), 0, []
    for part in ("train", "validation", "test"):
        key = f"splits/{erased.release}/all/{part}"
        table = s3.get_object(Bucket=flow.bucket, Key=f"{key}.csv")["Body"].read()
        body = s3.get_object(Bucket=flow.bucket, Key=f"{key}_rows.parquet")["Body"].read()
        lines += table.count(b"\n")
        named += parquet.read_table(io.BytesIO(body))["tenant_id"].to_pylist()
    assert lines == len(named) > 0
    assert erased.tenant not in named


def test_the_api_has_never_seen_the_tenant_and_others_are_answered_as_before(flow: Flow, erased: Erased) -> None:
    assert flow.get(f"/tenants/{erased.tenant}/features").status_code == 404
    assert flow.get(f"/tenants/{erased.tenant}/prediction").status_code == 404
    assert flow.predictions(erased.others) == erased.predictions
    kept = {tenant: row for tenant, row in erased.features.items() if tenant != erased.tenant}
    assert rows_of(flow, erased.release) == kept


@pytest.mark.slow
def test_a_second_time_finds_nothing_and_proves_that_too(flow: Flow, erased: Erased) -> None:
    code, said = erase(erased.tenant)
    assert code == 0
    assert "unknown here, or was erased before" in said
    proof = flow.json_object(said.partition(f"s3://{flow.bucket}/")[2].split()[0])
    assert (proof["found"], proof["residues"]) == (0, 0)


def test_a_proof_says_what_was_removed_and_only_who_knows_the_id_can_tell_whose(flow: Flow, erased: Erased) -> None:
    listed = boto3.client("s3").list_objects_v2(Bucket=flow.bucket, Prefix="erasures/")["Contents"]
    proofs = [flow.json_object(each["Key"]) for each in listed]
    [proof] = [each for each in proofs if each["found"]]
    changes = [change for place in proof["removed"] for change in place["changes"]]
    for place in ("tickets.csv", "more.zip", "quarantine.parquet", "smoke_test.json"):
        assert any(place in change and "rewritten" in change for change in changes), place
    told = proof["tenant"]
    assert describe_id(erased.tenant, bytes.fromhex(told["salt"])) == told
    assert describe_id("T000000", bytes.fromhex(told["salt"])) != told


@pytest.mark.slow
def test_the_batch_can_be_released_again_and_gives_the_others_the_same_features(flow: Flow, erased: Erased) -> None:
    drive = Drive(flow, lambda mail: flow.decide(mail, "reject", "a drill"))
    before = executions(flow.stack)
    manifest = f"raw/tenant_experience/{erased.work.name}/manifest.json"
    boto3.client("s3").put_object(Bucket=flow.bucket, Key=manifest, Body=json.dumps(erased.work.manifest).encode())
    drive.arn = wait_for_new_execution(flow.stack, erased.work, before)
    assert drive.follow().error == "ReleaseRejected"
    kept = {tenant: row for tenant, row in erased.features.items() if tenant != erased.tenant}
    assert rows_of(flow, drive.release) == kept
