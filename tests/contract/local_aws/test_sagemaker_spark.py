"""BuildFeatures on two instances of the laptop's SageMaker: a cluster of processes, and what happens when one dies."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from demo.generate_events import generate
from local_aws.sagemaker import SageMaker, ServiceError, load_image
from local_aws.tests.sagemaker.support import BUCKET, ROLE, ROOT, Make, wait_for
from tests.support.feature_job import REQUESTED_AT, FeatureJob
from tests.support.requirements import spark_python

IMAGE_URI = "000000000000.dkr.ecr.us-east-1.amazonaws.com/tenant-experience-spark:local"
_PATIENCE_S = 850  # below the limit of a test, so that it ends by saying what it waited for
OUTPUTS = ("features", "quarantine", "reports")
# Starting two clusters takes minutes; tests/contract/spark holds the engine itself to the same rows.
pytestmark = pytest.mark.slow


def request(name: str) -> dict[str, Any]:
    def place(kind: str, folder: str) -> dict[str, Any]:
        return {"S3Uri": f"s3://{BUCKET}/{folder}/", "LocalPath": f"/opt/ml/processing/{kind}/{folder.split('/')[-1]}"}

    arguments = ["--release", "r1", "--use-case", "tenant_experience", "--batch=b1", "--requested-at", REQUESTED_AT]
    script = "/opt/program/sagemaker_scripts/build_features_spark.py"
    inputs = [{"InputName": i, "S3Input": {**place("input", i), "S3DataType": "S3Prefix"}} for i in ("raw", "use_case")]
    outputs = [
        {"OutputName": o, "S3Output": {**place("output", f"{name}/{o}"), "S3UploadMode": "EndOfJob"}} for o in OUTPUTS
    ]
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": IMAGE_URI,
            "ContainerEntrypoint": ["python3", script],
            "ContainerArguments": arguments,
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 1}
        },
        "ProcessingInputs": [{**each, "S3Input": {**each["S3Input"], "S3InputMode": "File"}} for each in inputs],
        "ProcessingOutputConfig": {"Outputs": outputs},
        "StoppingCondition": {"MaxRuntimeInSeconds": 800},
    }


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, s3: Any) -> FeatureJob:
    """The same batch in S3 and in folders."""
    job = FeatureJob(tmp_path_factory.mktemp("duckdb"))
    generate(job.raw, as_of=datetime(2026, 11, 1, tzinfo=UTC), tenants=700, margin="wide")
    (job.raw / "manifest.json").write_text(json.dumps({"as_of": "2026-11-01T00:00:00Z"}))
    for name, folder in (("raw", job.raw), ("use_case", job.use_case)):
        for path in folder.rglob("*"):
            if path.is_file():
                s3.upload_file(str(path), BUCKET, f"{name}/{path.relative_to(folder)}")
    return job


@pytest.fixture
def sagemaker(make: Make, batch: FeatureJob) -> SageMaker:
    assert batch.raw.is_dir()
    spark_python()
    return make(images=[load_image(ROOT / "container" / "local_spark_image.json", ROOT)])


def ended(sagemaker: SageMaker, name: str, look: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The job when it has ended; ``look`` is called while it runs."""

    def done() -> dict[str, Any] | None:
        look()
        job = sagemaker.call("DescribeProcessingJob", {"ProcessingJobName": name})
        return None if job["ProcessingJobStatus"] == "InProgress" else job

    job: dict[str, Any] = wait_for(done, what=f"the end of {name}", seconds=_PATIENCE_S)
    return job


def test_two_instances_compute_what_one_process_does(
    sagemaker: SageMaker, batch: FeatureJob, s3: Any, tmp_path: Path
) -> None:
    sagemaker.call("CreateProcessingJob", request("two"))
    batch.run()
    log = sagemaker.job_log_path("two")
    assert log is not None
    executors: set[Path] = set()
    work = log.parent / "algo-2" / "opt" / "ml" / "spark-worker"
    job = ended(sagemaker, "two", look=lambda: executors.update(work.glob("app-*/*")))
    assert job["ProcessingJobStatus"] == "Completed", log.read_text()
    found = {}
    for stored in s3.list_objects_v2(Bucket=BUCKET, Prefix="two/")["Contents"]:
        body = s3.get_object(Bucket=BUCKET, Key=stored["Key"])["Body"].read()
        found[stored["Key"].removeprefix("two/")] = body
    expected = batch.base / "processing" / "output"
    files = {path.relative_to(expected).as_posix() for path in expected.rglob("*") if path.is_file()}
    assert found.keys() == files
    for name in ("features/features.parquet", "quarantine/quarantine.parquet"):
        (tmp_path / "found.parquet").write_bytes(found[name])
        assert pq.read_table(tmp_path / "found.parquet").equals(pq.read_table(expected / name)), name
    assert json.loads(found["features/outcome.json"]) == batch.read("features/outcome.json")
    # Both instances computed: the worker of the second one had an executor.
    assert executors


def processes(folder: Path, words: str) -> list[int]:
    """Ids of Java processes whose command has these words, and whose files are below a folder; not what starts them."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            command, cwd = (proc / "cmdline").read_text().split("\0"), (proc / "cwd").readlink()
        except (OSError, UnicodeDecodeError):
            continue
        java = command[0].endswith("java") and "org.apache.spark.launcher.Main" not in command
        if java and words in command and cwd.is_relative_to(folder):
            found.append(int(proc.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="Linux's")
@pytest.mark.parametrize(("what", "host"), [("master", ""), ("worker", "algo-2")])
def test_a_master_or_worker_that_dies_ends_the_job_by_name(sagemaker: SageMaker, what: str, host: str) -> None:
    sagemaker.call("CreateProcessingJob", request(f"loses-{what}"))
    log = sagemaker.job_log_path(f"loses-{what}")
    assert log is not None
    words = f"org.apache.spark.deploy.{what}.{what.capitalize()}"
    (victim,) = wait_for(lambda: processes(log.parent / host, words), what=f"a {what}", seconds=_PATIENCE_S)
    if what == "worker":  # lost only once it had work; before that it would be missing
        work = log.parent / host / "opt" / "ml" / "spark-worker"
        wait_for(lambda: list(work.glob("app-*/*")), what="an executor", seconds=_PATIENCE_S)
    os.kill(victim, signal.SIGKILL)
    job = ended(sagemaker, f"loses-{what}")
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["ExitMessage"].startswith(f"PlatformError: spark_{what}_lost:"), job["ExitMessage"]
    for name in ("master.Master", "worker.Worker"):
        assert not processes(log.parent, f"org.apache.spark.deploy.{name}")


def test_an_environment_that_is_not_made_is_named(make: Make, tmp_path: Path) -> None:
    described = json.loads((ROOT / "container" / "local_spark_image.json").read_text())
    (tmp_path / "image.json").write_text(json.dumps({**described, "interpreter": "none/bin/python"}))
    sagemaker = make(images=[load_image(tmp_path / "image.json", tmp_path)])
    with pytest.raises(ServiceError, match=r"is not on this machine yet\. Make it with: make spark"):
        sagemaker.call("CreateProcessingJob", request("unmade"))
