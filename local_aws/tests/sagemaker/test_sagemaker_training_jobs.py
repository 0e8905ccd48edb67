"""Training jobs: the container's files, the ways a job ends, what is kept of it."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
from pathlib import Path
from typing import Any

import pytest

from local_aws.sagemaker import SageMaker, ServiceError
from local_aws.tests.sagemaker.support import BUCKET, IMAGE_URI, ROLE, Make, wait_for, wait_while


def request(name: str, seconds: int = 60, **hyperparameters: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": IMAGE_URI, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": hyperparameters,
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/training"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
    }


def describe(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    return sagemaker.call("DescribeTrainingJob", {"TrainingJobName": name})


def ended(sagemaker: SageMaker, name: str) -> dict[str, Any]:
    return wait_while(lambda: describe(sagemaker, name), "TrainingJobStatus", "InProgress", "Stopping")


def started(sagemaker: SageMaker, name: str) -> Path:
    """Wait until the container runs; its ``/opt/ml``."""
    folder = sagemaker.job_log_path(name)
    assert folder is not None
    wait_for(lambda: (folder.parent / "opt/ml/ready").exists(), what=f"{name} runs")
    return folder.parent / "opt/ml"


def archive(s3: Any, key: str) -> dict[str, bytes]:
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def test_a_job_that_succeeds(sagemaker: SageMaker, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="channels/rows/a.csv", Body=b"1\n")
    s3.put_object(Bucket=BUCKET, Key="channels/rows/deep/b.csv", Body=b"2\n")
    s3.put_object(Bucket=BUCKET, Key="channels/rows/", Body=b"")
    asked = request("good", write_model="yes")
    asked["Tags"] = [{"Key": "team", "Value": "t"}]
    asked["Environment"] = {"GREETING": "hello"}
    asked["InputDataConfig"] = [
        {
            "ChannelName": channel,
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/channels/{key}"}},
        }
        for channel, key in (("all", "rows/"), ("one", "rows/a.csv"))
    ]
    arn = sagemaker.call("CreateTrainingJob", asked)["TrainingJobArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:training-job/good"
    job = ended(sagemaker, "good")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed"
    assert [t["Status"] for t in job["SecondaryStatusTransitions"]] == [
        *("Starting", "Downloading", "Training", "Uploading", "Completed")
    ]
    assert job["TrainingEndTime"] >= job["TrainingStartTime"]
    assert job["BillableTimeInSeconds"] >= 0
    assert job["ModelArtifacts"] == {"S3ModelArtifacts": f"s3://{BUCKET}/training/good/output/model.tar.gz"}
    seen = json.loads(archive(s3, "training/good/output/model.tar.gz")["seen.json"])
    assert archive(s3, "training/good/output/output.tar.gz") == {"notes.txt": b"noted"}
    assert seen["data"] == ["all/a.csv", "all/deep/b.csv", "one/a.csv"]
    assert seen["hyperparameters"] == {"write_model": "yes"}
    assert seen["resourceconfig"]["hosts"] == ["algo-1"]
    assert seen["inputdataconfig"]["one"]["TrainingInputMode"] == "File"
    assert {"GREETING", "TRAINING_JOB_NAME", "AWS_REGION", "AWS_SESSION_TOKEN"} <= set(seen["environment"])
    assert not [name for name in seen["environment"] if name.startswith("SM_")]
    log = sagemaker.job_log_path("good")
    assert log is not None
    assert "accuracy=0.75;" in log.read_text()
    assert sagemaker.call("ListTags", {"ResourceArn": arn})["Tags"] == [{"Key": "team", "Value": "t"}]


def test_a_job_that_fails_tells_its_own_reason_within_1024_characters(sagemaker: SageMaker) -> None:
    sagemaker.call("CreateTrainingJob", request("fails", failure="UserError: no rows. " + "x" * 2000, exit="3"))
    job = ended(sagemaker, "fails")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: UserError: no rows. xxx")
    assert job["FailureReason"].endswith(", exit code: 3")
    assert len(job["FailureReason"]) == 1024
    assert job["SecondaryStatusTransitions"][-1]["Status"] == "Failed"
    assert "ModelArtifacts" not in job


def test_metrics_are_read_from_the_log(sagemaker: SageMaker) -> None:
    asked = request("metrics")
    asked["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "accuracy", "Regex": "accuracy=([0-9.]+);"}]
    sagemaker.call("CreateTrainingJob", asked)
    metrics = ended(sagemaker, "metrics")["FinalMetricDataList"]
    assert [(m["MetricName"], m["Value"]) for m in metrics] == [("accuracy", 0.75)]


def test_a_failure_without_words(sagemaker: SageMaker) -> None:
    sagemaker.call("CreateTrainingJob", request("silent", exit="1"))
    assert ended(sagemaker, "silent")["FailureReason"] == "AlgorithmError: , exit code: 1"


def test_a_killed_process_is_a_failed_job_and_leaves_nothing(sagemaker: SageMaker, tmp_path: Path) -> None:
    note = tmp_path / "child"
    sagemaker.call("CreateTrainingJob", request("killed", sleep="60", child=str(note)))
    ml = started(sagemaker, "killed")
    wait_for(note.exists, what="the child")
    os.kill(int((ml.parents[1] / "pid").read_text()), signal.SIGKILL)
    assert ended(sagemaker, "killed")["FailureReason"] == "AlgorithmError: , exit code: 137"
    wait_for(lambda: not Path(f"/proc/{note.read_text()}").exists(), what="the daemon it left")


def test_stopping_lets_the_container_save_its_model(sagemaker: SageMaker, s3: Any) -> None:
    sagemaker.call("CreateTrainingJob", request("stops", sleep="60", end_politely="yes"))
    started(sagemaker, "stops")
    sagemaker.call("StopTrainingJob", {"TrainingJobName": "stops"})
    job = ended(sagemaker, "stops")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert archive(s3, "training/stops/output/model.tar.gz") == {"checkpoint": b"saved on SIGTERM"}
    with pytest.raises(ServiceError, match="The request was rejected because the training job is in status Stopped"):
        sagemaker.call("StopTrainingJob", {"TrainingJobName": "stops"})


def test_a_job_beyond_its_time_is_stopped(sagemaker: SageMaker) -> None:
    sagemaker.call("CreateTrainingJob", request("slow", seconds=1, sleep="60"))
    job = ended(sagemaker, "slow")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_name_serves_once(sagemaker: SageMaker) -> None:
    sagemaker.call("CreateTrainingJob", request("once"))
    with pytest.raises(ServiceError, match="Job name must be unique") as refused:
        sagemaker.call("CreateTrainingJob", request("once"))
    assert refused.value.code == "ResourceInUse"


def test_a_channel_without_objects_is_refused_at_creation(sagemaker: SageMaker) -> None:
    asked = request("empty")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/nothing/here"}
    asked["InputDataConfig"] = [{"ChannelName": "rows", "DataSource": {"S3DataSource": source}}]
    with pytest.raises(ServiceError, match='No S3 objects found under S3 URL "s3://contract/nothing/here"'):
        sagemaker.call("CreateTrainingJob", asked)
    with pytest.raises(ServiceError, match="Requested resource not found"):
        describe(sagemaker, "empty")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"TrainingJobName": "under_score"}, "ValidationException", "regular expression pattern"),
        ({"TrainingJobName": "x" * 64}, "ValidationException", "length less than or equal to 63"),
        ({"Surprise": 1}, "ValidationException", "Unknown parameter"),
        ({"HyperParameters": {"depth": 4}}, "ValidationException", "Invalid type for parameter HyperParameters.depth"),
        ({"CheckpointConfig": {"S3Uri": "s3://b/c"}}, "UnsupportedOperation", "CheckpointConfig is not emulated"),
    ],
)
def test_bad_requests_are_refused_by_name(sagemaker: SageMaker, change: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(ServiceError, match=words) as refused:
        sagemaker.call("CreateTrainingJob", request("bad") | change)
    assert refused.value.code == code


def test_an_operation_that_is_not_emulated_says_so(sagemaker: SageMaker) -> None:
    with pytest.raises(ServiceError, match="CreateAutoMLJob is not emulated") as refused:
        sagemaker.call("CreateAutoMLJob", {})
    assert refused.value.code == "UnsupportedOperation"


def test_a_restart_fails_what_ran_and_keeps_what_ended(make: Make) -> None:
    first = make()
    first.call("CreateTrainingJob", request("done"))
    ended(first, "done")
    first.call("CreateTrainingJob", request("running", sleep="60"))
    pid = int((started(first, "running").parents[1] / "pid").read_text())
    first.stop()
    assert not Path(f"/proc/{pid}").exists()
    second = make()
    assert describe(second, "done")["TrainingJobStatus"] == "Completed"
    job = describe(second, "running")
    assert job["TrainingJobStatus"] == "Failed"
    assert "stopped while the job was running" in job["FailureReason"]


def test_lists_in_pages(sagemaker: SageMaker) -> None:
    for number in range(3):
        sagemaker.call("CreateTrainingJob", request(f"listed-{number}"))
        ended(sagemaker, f"listed-{number}")
    first = sagemaker.call("ListTrainingJobs", {"NameContains": "listed", "MaxResults": 2})
    rest = sagemaker.call("ListTrainingJobs", {"NameContains": "listed", "NextToken": first["NextToken"]})
    names = [job["TrainingJobName"] for job in [*first["TrainingJobSummaries"], *rest["TrainingJobSummaries"]]]
    assert names == ["listed-2", "listed-1", "listed-0"]
    assert "NextToken" not in rest
    assert sagemaker.call("ListTrainingJobs", {"StatusEquals": "Failed"})["TrainingJobSummaries"] == []
