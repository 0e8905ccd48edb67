"""IngestFeatures and ServeFeatures against the laptop's Feature Store.

Real processes, one of them killed, and a job of two instances.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local_aws.tests.server.machines import eventually
from tenant_experience.features.records import feature_types
from tenant_experience.use_case.schema import load_use_case

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "use_cases" / "tenant_experience"
USE_CASE = load_use_case(FOLDER)
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
BEGAN, LATER = (datetime(2026, 11, 2, hour, tzinfo=UTC) for hour in (10, 12))
WRITES = "sagemaker-featurestore-runtime:BatchWriteRecord"
RECORDS_PER_CALL = 25
_PATIENCE_S = 250.0
_ACTIONS = ["CreateFeatureGroup", "DescribeFeatureGroup", "UpdateFeatureGroup"]
_ACTIONS += ["BatchGetRecord", "BatchWriteRecord", "PutRecord"]

Client = Callable[..., Any]
Served = dict[str, dict[str, str]]


def write_features(folder: Path, tickets: dict[str, float], as_of: datetime = AS_OF) -> None:
    """A ``features.parquet`` of tenants that differ in their tickets."""
    types = feature_types(USE_CASE)
    row: dict[str, Any] = {name: 1 / 3 if kind == "Fractional" else "x" for name, kind in types.items()}
    del row["event_time"], row["release"]
    rows = [row | {"tenant_id": i, "as_of": as_of, "total_tickets": value} for i, value in tickets.items()]
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "features.parquet", row_group_size=200)


@pytest.fixture(scope="module")
def role(client: Client, bucket: str) -> str:
    """What the jobs may do: the feature store's part of the template's FeatureJobRole, and their files."""
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = client("iam").create_role(RoleName="ingestion", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    names = [f"sagemaker:{name}" for name in _ACTIONS]
    group = "arn:aws:sagemaker:us-east-1:000000000000:feature-group/*"
    objects = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statements = [
        {"Effect": "Allow", "Action": names, "Resource": group},
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject"], "Resource": objects},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": made},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    client("iam").put_role_policy(RoleName="ingestion", PolicyName="p", PolicyDocument=policy)
    return str(made)


class Ingestion:
    """Runs of the script as processes of their own, and what is served afterwards."""

    def __init__(self, base: Path, env: dict[str, str], client: Client, role: str, bucket: str) -> None:
        self.features = base / "processing" / "input" / "features"
        self._base, self._env, self._runtime = base, env, client("sagemaker-featurestore-runtime")
        self._role, self._bucket = role, bucket
        shutil.copytree(FOLDER, base / "processing" / "input" / "use_case")

    def keep(self, group: str, release: str) -> dict[str, Any]:
        """IngestFeatures, which also makes the group."""
        stores = ["--offline-role-arn", self._role, "--offline-uri", f"s3://{self._bucket}/store/"]
        return self._run("ingest_features.py", "ingestion", arguments(group, release, *stores))

    def start(self, group: str, release: str, began: datetime) -> subprocess.Popen[str]:
        """ServeFeatures, which is not waited for."""
        return self._start("serve_features.py", arguments(group, release, "--began", began.isoformat()))

    def serve(self, group: str, release: str, began: datetime) -> dict[str, Any]:
        """ServeFeatures."""
        return self._run("serve_features.py", "served", arguments(group, release, "--began", began.isoformat()))

    def _start(self, script: str, given: list[str]) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "sagemaker_scripts" / script), *given]
        environment = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(self._base), **self._env}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)  # noqa: S603

    def _run(self, script: str, output: str, given: list[str]) -> dict[str, Any]:
        process = self._start(script, given)
        _, errors = process.communicate(timeout=_PATIENCE_S)
        assert process.returncode == 0, errors
        outcome = self._base / "processing" / "output" / output / "algo-1" / "outcome.json"
        found: dict[str, Any] = json.loads(outcome.read_text())
        return {name: found[name] for name in ("records", "written", "unchanged", "newer", "failed")}

    def served(self, group: str, ids: list[str]) -> Served:
        found: Served = {}
        for start in range(0, len(ids), 100):
            asked = {"FeatureGroupName": group, "RecordIdentifiersValueAsString": ids[start : start + 100]}
            for item in self._runtime.batch_get_record(Identifiers=[asked])["Records"]:
                record = {value["FeatureName"]: value["ValueAsString"] for value in item["Record"]}
                found[item["RecordIdentifierValueAsString"]] = record
        return found


def arguments(group: str, release: str, *more: str) -> list[str]:
    return ["--release", release, "--feature-group", group, *more]


@pytest.fixture
def ingestion(tmp_path: Path, env: dict[str, str], client: Client, role: str, bucket: str) -> Ingestion:
    return Ingestion(tmp_path / "ml", env, client, role, bucket)


def counts(**named: int) -> dict[str, int]:
    return dict.fromkeys(("records", "written", "unchanged", "newer", "failed"), 0) | named


def test_nothing_is_served_before_it_is_to_be_and_a_correction_is_served_for_whom_it_concerns(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    tickets = {f"T{number:03}": float(number) for number in range(250)}
    write_features(ingestion.features, tickets)
    assert ingestion.keep("corrected", "r1") == counts(records=250, written=250)
    assert ingestion.served("corrected", list(tickets)) == {}
    assert ingestion.serve("corrected", "r1", BEGAN) == counts(records=250, written=250)
    first = ingestion.served("corrected", list(tickets))
    assert {i: float(record["total_tickets"]) for i, record in first.items()} == tickets

    concerned = [f"T{number:03}" for number in range(0, 250, 10)]
    write_features(ingestion.features, tickets | dict.fromkeys(concerned, 0.1))
    assert ingestion.keep("corrected", "r2") == counts(records=250, written=250)
    assert ingestion.served("corrected", list(tickets)) == first  # r2 may be rejected
    decision = tmp_path / "ml/processing/input/decision"
    decision.mkdir()
    (decision / "rejected.json").write_text('["x"]')
    assert ingestion.serve("corrected", "r2", LATER) == counts()  # all are of the partition that was rejected
    (decision / "rejected.json").unlink()
    assert ingestion.serve("corrected", "r2", LATER) == counts(records=250, written=25, unchanged=225)
    second = ingestion.served("corrected", list(tickets))
    assert {i: record for i, record in second.items() if i not in concerned} == {
        i: record for i, record in first.items() if i not in concerned
    }
    for i in concerned:
        assert second[i] | {"event_time": ""} == first[i] | {"total_tickets": "0.1", "release": "r2", "event_time": ""}
        assert second[i]["event_time"] > first[i]["event_time"]
    assert ingestion.serve("corrected", "r2", LATER) == counts(records=250, unchanged=250)

    write_features(ingestion.features, dict.fromkeys(tickets, 7.0), datetime(2026, 10, 1, tzinfo=UTC))
    assert ingestion.serve("corrected", "late", LATER + timedelta(hours=1)) == counts(records=250, newer=250)
    assert ingestion.served("corrected", list(tickets)) == second


@contextmanager
def slow_writes(env: dict[str, str]) -> Iterator[Callable[[], int]]:
    """Hold up every write; gives how many the server has received."""

    def faults(method: str, rules: list[dict[str, Any]]) -> Any:
        url = f"{env['AWS_ENDPOINT_URL']}/_local/faults"
        call = urllib.request.Request(url, json.dumps(rules).encode(), method=method)  # noqa: S310
        with urllib.request.urlopen(call, timeout=_PATIENCE_S) as answer:  # noqa: S310
            return json.load(answer)

    faults("PUT", [{"operation": WRITES, "delay_seconds": 0.3}])
    try:
        yield lambda: int(faults("GET", [])[0]["fired"])
    finally:
        faults("DELETE", [])


@pytest.mark.slow
def test_a_run_that_was_killed_half_way_and_repeated_ends_as_one_that_was_not(
    ingestion: Ingestion, env: dict[str, str]
) -> None:
    tickets = {f"T{number:03}": float(number) for number in range(800)}
    write_features(ingestion.features, tickets)
    for group in ("killed", "undisturbed"):
        ingestion.keep(group, "r1")
    with slow_writes(env) as received, ingestion.start("killed", "r1", BEGAN) as process:
        try:
            eventually(lambda: ingestion.served("killed", list(tickets)), limit_s=_PATIENCE_S)
        finally:
            process.kill()
        process.communicate(timeout=_PATIENCE_S)
        assert process.returncode == -signal.SIGKILL

        def written() -> bool:
            """Whether the calls that were under way have arrived: all are of the same size."""
            return len(ingestion.served("killed", list(tickets))) == received() * RECORDS_PER_CALL

        eventually(written, limit_s=_PATIENCE_S)
    half = ingestion.served("killed", list(tickets))
    assert 0 < len(half) < len(tickets)

    assert ingestion.serve("killed", "r1", BEGAN) == counts(
        records=800, written=len(tickets) - len(half), unchanged=len(half)
    )
    assert ingestion.serve("undisturbed", "r1", BEGAN) == counts(records=800, written=800)
    ended = ingestion.served("killed", list(tickets))
    assert _values(ended) == _values(ingestion.served("undisturbed", list(tickets)))
    assert {i: ended[i] for i in half} == half


def _values(served: Served) -> Served:
    return {i: {name: value for name, value in record.items() if name != "event_time"} for i, record in served.items()}


def test_two_instances_write_every_tenant_once(
    ingestion: Ingestion, client: Client, role: str, bucket: str, tmp_path: Path
) -> None:
    tickets = {f"T{number:03}": float(number) for number in range(500)}
    write_features(tmp_path, tickets)
    write_features(ingestion.features, {})
    ingestion.keep("two", "r1")
    s3, sagemaker = client("s3"), client("sagemaker")
    s3.upload_file(str(tmp_path / "features.parquet"), bucket, "features/two/features.parquet")
    s3.upload_file(str(FOLDER / "use_case.yaml"), bucket, "use_cases/two/use_case.yaml")

    def source(name: str) -> dict[str, Any]:
        place = {"LocalPath": f"/opt/ml/processing/input/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
        folder = {"features": "features", "use_case": "use_cases"}[name]
        return {"InputName": name, "S3Input": {"S3Uri": f"s3://{bucket}/{folder}/two/", **place}}

    target = {"S3Uri": f"s3://{bucket}/served/two/", "LocalPath": "/opt/ml/processing/output/served"}
    sagemaker.create_processing_job(
        ProcessingJobName="ingest-two",
        RoleArn=role,
        AppSpecification={
            "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/test-image:1",
            "ContainerEntrypoint": ["python3", "/opt/scripts/serve_features.py"],
            "ContainerArguments": arguments("two", "r1", "--began", BEGAN.isoformat()),
        },
        ProcessingResources={"ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        ProcessingInputs=[source("features"), source("use_case")],
        ProcessingOutputConfig={
            "Outputs": [{"OutputName": "served", "S3Output": {**target, "S3UploadMode": "EndOfJob"}}]
        },
    )
    job = eventually(
        lambda: (
            (found := sagemaker.describe_processing_job(ProcessingJobName="ingest-two"))
            and found["ProcessingJobStatus"] != "InProgress"
            and found
        ),
        limit_s=_PATIENCE_S,
    )
    assert job["ProcessingJobStatus"] == "Completed", job.get("ExitMessage")
    outcomes = [
        json.loads(s3.get_object(Bucket=bucket, Key=f"served/two/{host}/outcome.json")["Body"].read())
        for host in ("algo-1", "algo-2")
    ]
    assert all(outcome["records"] == outcome["written"] > 0 for outcome in outcomes)
    assert sum(outcome["written"] for outcome in outcomes) == len(tickets)
    served = ingestion.served("two", list(tickets))
    assert {i: float(record["total_tickets"]) for i, record in served.items()} == tickets
