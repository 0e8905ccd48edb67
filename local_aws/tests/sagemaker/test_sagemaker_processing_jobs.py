"""Processing jobs: inputs, outputs, the message, the ways a job ends; and the death of the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_aws.sagemaker import SageMaker, ServiceError
from local_aws.tests.sagemaker.support import BUCKET, IMAGE_URI, PROGRAM, ROLE, ROOT, wait_for, wait_while


def request(name: str, *arguments: str, seconds: int = 60, source: str = "lines/") -> dict[str, Any]:
    return {
        "ProcessingJobName": name,
        "AppSpecification": {
            "ImageUri": IMAGE_URI,
            "ContainerEntrypoint": ["python3", "/opt/program/process.py"],
            **({"ContainerArguments": list(arguments)} if arguments else {}),
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
        "ProcessingInputs": [
            {
                "InputName": "lines",
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/{source}",
                    "LocalPath": "/opt/ml/processing/input/lines",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "counts",
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/counted/{name}/",
                        "LocalPath": "/opt/ml/processing/output/counts",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    }


def describe(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    return sagemaker.call("DescribeProcessingJob", {"ProcessingJobName": name})


def ended(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    return wait_while(lambda: describe(sagemaker, name), "ProcessingJobStatus", "InProgress", "Stopping")


@pytest.fixture(autouse=True)
def lines(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="lines/a.txt", Body=b"1\n2\n")
    s3.put_object(Bucket=BUCKET, Key="lines/deep/b.txt", Body=b"1\n")


def read(s3: Any, key: str) -> Any:
    return json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def test_a_job_that_succeeds(sagemaker: SageMaker, s3: Any) -> None:
    asked = request("counts", "--message", "m" * 200, "--times", "10")
    asked["Environment"] = {"GREETING": "hello"}
    sagemaker.call("CreateProcessingJob", asked)
    job = ended(sagemaker, "counts")
    assert job["ProcessingJobStatus"] == "Completed"
    assert job["ExitMessage"] == "m" * 1024
    assert "FailureReason" not in job
    assert job["ProcessingEndTime"] >= job["ProcessingStartTime"]
    assert read(s3, "counted/counts/deep/counts.json") == {"lines/a.txt": 2, "lines/deep/b.txt": 1}
    told = read(s3, "counted/counts/config.json")
    assert told["config"]["ProcessingJobName"] == "counts"
    assert told["environment"]["GREETING"] == "hello"


@pytest.mark.parametrize("arguments", [(), ("--exit", "1")])
def test_of_an_ended_job_only_its_log_stays(sagemaker: SageMaker, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    sagemaker.call("CreateProcessingJob", request("over", *arguments))
    ended(sagemaker, "over")
    folder = tmp_path / "state" / "jobs" / "over"
    wait_for(lambda: {each.name for each in folder.iterdir()} == {"log", "pid"}, what="the disk to go")


def test_one_object_as_input(sagemaker: SageMaker, s3: Any) -> None:
    sagemaker.call("CreateProcessingJob", request("single", source="lines/deep/b.txt"))
    assert ended(sagemaker, "single")["ProcessingJobStatus"] == "Completed"
    assert read(s3, "counted/single/deep/counts.json") == {"lines/b.txt": 1}


def test_a_job_that_fails_uploads_nothing_and_says_what_it_said(sagemaker: SageMaker, s3: Any) -> None:
    sagemaker.call("CreateProcessingJob", request("fails", "--exit", "1", "--message", "PlatformError: why"))
    job = ended(sagemaker, "fails")
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert job["ExitMessage"] == "PlatformError: why"
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="counted/fails/")["KeyCount"] == 0


@pytest.mark.parametrize("uri", [f"s3://{BUCKET}/no/such/", "s3://no-such-bucket-here/x"])
def test_an_input_that_is_not_there(sagemaker: SageMaker, uri: str) -> None:
    asked = request("missing")
    asked["ProcessingInputs"][0]["S3Input"]["S3Uri"] = uri
    sagemaker.call("CreateProcessingJob", asked)
    job = ended(sagemaker, "missing")
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Failed to download data.")
    assert uri in job["FailureReason"]


def test_a_command_that_is_not_in_the_image(sagemaker: SageMaker) -> None:
    asked = request("nothing")
    asked["AppSpecification"]["ContainerEntrypoint"] = ["no-such-command"]
    sagemaker.call("CreateProcessingJob", asked)
    assert ended(sagemaker, "nothing")["ProcessingJobStatus"] == "Failed"
    log = sagemaker.job_log_path("nothing")
    assert log is not None
    assert log.read_text() == 'exec: "no-such-command": executable file not found in $PATH\n'


def test_stop_and_time_limit_both_end_in_stopped(sagemaker: SageMaker) -> None:
    sagemaker.call("CreateProcessingJob", request("stops", "--sleep", "60"))
    sagemaker.call("CreateProcessingJob", request("slow", "--sleep", "60", seconds=1))
    log = sagemaker.job_log_path("stops")
    assert log is not None
    wait_for(lambda: log.exists() and "counted" in log.read_text(), what="the job runs")
    sagemaker.call("StopProcessingJob", {"ProcessingJobName": "stops"})
    assert ended(sagemaker, "stops")["ProcessingJobStatus"] == "Stopped"
    assert ended(sagemaker, "slow")["ProcessingJobStatus"] == "Stopped"


def test_paths_outside_the_mount_are_refused(sagemaker: SageMaker) -> None:
    for path in ("/etc/input", "/opt/ml/processing/../../etc"):
        asked = request("outside")
        asked["ProcessingInputs"][0]["S3Input"]["LocalPath"] = path
        with pytest.raises(ServiceError, match="must begin with /opt/ml/processing/"):
            sagemaker.call("CreateProcessingJob", asked)


def test_jobs_of_both_kinds_may_share_a_name_and_many_may_run_at_once(sagemaker: SageMaker) -> None:
    names = [f"many-{number}" for number in range(12)]
    for name in names:
        sagemaker.call("CreateProcessingJob", request(name))
    assert {ended(sagemaker, name)["ProcessingJobStatus"] for name in names} == {"Completed"}


SERVER = """
import sys, time
from pathlib import Path
from local_aws.sagemaker.core.child_process import ChildProcess
command = [sys.executable, "-c", "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"]
ChildProcess(command, interpreter=Path(sys.executable), environment={"PATH": "/usr/bin:/bin"}, folder=Path(sys.argv[1]))
time.sleep(600)
"""


def test_processes_die_with_a_server_that_is_killed(tmp_path: Path) -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path)], cwd=ROOT)  # noqa: S603
    file = tmp_path / "pid"
    pid = wait_for(lambda: file.exists() and file.read_text(), what="the job's process")
    children = Path(f"/proc/{pid}/task/{pid}/children")
    grandchild = wait_for(lambda: children.read_text().split(), what="the process it started")[0]
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    for process in (pid, grandchild):
        wait_for(lambda p=process: not Path(f"/proc/{p}").exists(), what=f"the end of process {process}")
    assert PROGRAM.exists()
