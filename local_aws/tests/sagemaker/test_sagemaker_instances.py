"""What a job's instances have and share: parts of the input, one archive, memory, CPUs, logs, events."""

from __future__ import annotations

import io
import json
import os
import tarfile
from typing import Any

import boto3
import pytest

from local_aws.sagemaker import SageMaker, ServiceError, Timing
from local_aws.sagemaker.core.instance_types import InstanceType, choose_cpus, instance_type
from local_aws.tests.sagemaker.support import BUCKET, IMAGE_URI, ROLE, Make, wait_while

GIB = 1024**3


def request(name: str, count: int = 1, **hyper_parameters: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": IMAGE_URI, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": hyper_parameters,
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/instances"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def channel(uri: str, kind: str = "S3Prefix", distribution: str = "FullyReplicated") -> list[dict[str, Any]]:
    source = {"S3DataType": kind, "S3Uri": f"s3://{BUCKET}/{uri}", "S3DataDistributionType": distribution}
    return [{"ChannelName": "rows", "DataSource": {"S3DataSource": source}}]


def run(sagemaker: SageMaker, asked: dict[str, Any]) -> dict[str, Any]:
    sagemaker.call("CreateTrainingJob", asked)
    name = {"TrainingJobName": asked["TrainingJobName"]}
    return wait_while(
        lambda: sagemaker.call("DescribeTrainingJob", name), "TrainingJobStatus", "InProgress", "Stopping"
    )


def model(s3: Any, name: str) -> dict[str, Any]:
    body = s3.get_object(Bucket=BUCKET, Key=f"instances/{name}/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {member.name: json.load(tar.extractfile(member)) for member in tar}  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def rows(s3: Any) -> None:
    for name in "abcde":
        s3.put_object(Bucket=BUCKET, Key=f"shards/{name}.csv", Body=b"1\n")
    manifest = [{"prefix": f"s3://{BUCKET}/shards/"}, "b.csv", "d.csv"]
    s3.put_object(Bucket=BUCKET, Key="some.manifest", Body=json.dumps(manifest).encode())


def test_the_input_is_shared_and_the_models_are_one_archive(sagemaker: SageMaker, s3: Any) -> None:
    asked = request("shards", 2, write_host="none")
    asked["InputDataConfig"] = channel("shards/", distribution="ShardedByS3Key")
    assert run(sagemaker, asked)["TrainingJobStatus"] == "Completed"
    found = model(s3, "shards")
    assert found == {"algo-1.json": ["a.csv", "c.csv", "e.csv"], "algo-2.json": ["b.csv", "d.csv"]}


def test_a_manifest_names_the_objects(sagemaker: SageMaker, s3: Any) -> None:
    asked = request("manifest", 2, write_host="none")
    asked["InputDataConfig"] = channel("some.manifest", "ManifestFile")
    assert run(sagemaker, asked)["TrainingJobStatus"] == "Completed"
    assert model(s3, "manifest") == {f"algo-{number}.json": ["b.csv", "d.csv"] for number in (1, 2)}
    for key, body in (("no.manifest", b"[]"), ("missing.manifest", b'[{"prefix": "s3://contract/"}, "none.csv"]')):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        asked = request(key.replace(".", "-"))
        asked["InputDataConfig"] = channel(key, "ManifestFile")
        done = run(sagemaker, asked)
        assert done["FailureReason"].startswith("ClientError: Data download failed:")


def test_one_instance_that_fails_ends_the_others(sagemaker: SageMaker) -> None:
    done = run(sagemaker, request("one-fails", 3, write_host="algo-2", sleep="60"))
    assert done["FailureReason"] == "AlgorithmError: algo-2 gave up, exit code: 7"


def test_a_job_that_needs_more_memory_than_its_instance_has(make: Make) -> None:
    sagemaker = make(instance_type=lambda _: InstanceType(2, 200 * 1024**2))
    done = run(sagemaker, request("large", memory=str(400 * 1024**2)))
    assert done["TrainingJobStatus"] == "Failed"
    assert done["FailureReason"] == (
        "ClientError: Please use an instance type with more memory, or reduce the size of job data processed on an "
        "instance."
    )
    assert run(sagemaker, request("small", write_host="none"))["TrainingJobStatus"] == "Completed"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux's")
def test_a_job_has_no_more_cpus_than_its_instance(make: Make) -> None:
    assert choose_cpus(None) == choose_cpus(InstanceType(4096, GIB)) == []
    assert len(choose_cpus(InstanceType(1, GIB))) <= 1
    sagemaker = make(instance_type=lambda _: InstanceType(1, 4 * GIB))
    asked = request("cpus")
    asked["AlgorithmSpecification"] |= {
        "ContainerEntrypoint": ["python3", "-c"],
        "ContainerArguments": [
            "import os, sys; sys.exit(len(os.sched_getaffinity(0)))",
        ],
    }
    assert run(sagemaker, asked)["FailureReason"].endswith("exit code: 1")


@pytest.mark.parametrize(
    ("name", "vcpus", "gib"),
    [
        ("ml.t3.medium", 2, 4),
        ("ml.m5.large", 2, 8),
        ("ml.m5.4xlarge", 16, 64),
        ("ml.c5.xlarge", 4, 8),
        ("ml.c4.xlarge", 4, 7.5),
        ("ml.r5.2xlarge", 8, 64),
        ("ml.g4dn.xlarge", 4, 16),
        ("ml.m7i-flex.large", 2, 8),
    ],
)
def test_instance_types(name: str, vcpus: int, gib: float) -> None:
    assert instance_type(name) == InstanceType(vcpus, int(gib * GIB))


def test_a_type_that_is_not_in_the_table_is_not_limited() -> None:
    assert instance_type("ml.p6e-gb200.36xlarge") is None or instance_type("ml.trn2.48xlarge") is None


def test_what_instances_print_is_in_their_streams(sagemaker: SageMaker, endpoint_url: str) -> None:
    run(sagemaker, request("printing", 2, write_host="none"))
    logs: Any = boto3.client(
        "logs",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
    )
    group = "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="printing/")["logStreams"]
    found = {}
    for stream in streams:
        host = stream["logStreamName"].removeprefix("printing/").rpartition("-")[0]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
        found[host] = [event["message"] for event in events["events"]]
    assert found == {f"algo-{n}": ["accuracy=0.5;", "accuracy=0.75;", f"on algo-{n}"] for n in (1, 2)}


def test_a_change_of_status_is_an_event(make: Make) -> None:
    heard: list[tuple[str, dict[str, Any], list[str]]] = []
    sagemaker = make(publish_event=lambda *event: heard.append(event), timing=Timing(stop_grace=5, startup=15))
    asked = request("heard") | {"Tags": [{"Key": "team", "Value": "one"}]}
    arn = sagemaker.call("CreateTrainingJob", asked)["TrainingJobArn"]
    name = {"TrainingJobName": "heard"}
    wait_while(lambda: sagemaker.call("DescribeTrainingJob", name), "TrainingJobStatus", "InProgress")
    assert {event[0] for event in heard} == {"SageMaker Training Job State Change"}
    assert [event[1]["SecondaryStatus"] for event in heard] == [
        *("Starting", "Downloading", "Training", "Uploading", "Completed")
    ]
    _, detail, resources = heard[-1]
    assert resources == [arn]
    assert (detail["TrainingJobStatus"], detail["Tags"]) == ("Completed", {"team": "one"})
    assert isinstance(detail["TrainingEndTime"], int)
    json.dumps(detail)
    heard.clear()
    sagemaker.call("CreateModelPackageGroup", {"ModelPackageGroupName": "group"})
    package = sagemaker.call("CreateModelPackage", {"ModelPackageGroupName": "group"})["ModelPackageArn"]
    sagemaker.call("UpdateModelPackage", {"ModelPackageArn": package, "ModelApprovalStatus": "Approved"})
    assert [event[1]["ModelApprovalStatus"] for event in heard] == ["PendingManualApproval", "Approved"]
    assert heard[0][0] == "SageMaker Model Package State Change"
    assert (heard[1][1]["ModelPackageGroupName"], heard[1][1]["ModelPackageVersion"]) == ("group", 1)


def test_a_listener_that_fails_harms_no_job(make: Make) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("nobody listens")

    assert run(make(publish_event=fail), request("unheard"))["TrainingJobStatus"] == "Completed"


def test_a_job_that_has_ended_can_be_deleted(sagemaker: SageMaker) -> None:
    name = {"TrainingJobName": "gone"}
    sagemaker.call("CreateTrainingJob", request("gone", sleep="30", end_politely="yes"))
    with pytest.raises(ServiceError, match="ResourceInUse"):
        sagemaker.call("DeleteTrainingJob", name)
    sagemaker.call("StopTrainingJob", name)
    wait_while(lambda: sagemaker.call("DescribeTrainingJob", name), "TrainingJobStatus", "InProgress", "Stopping")
    sagemaker.call("DeleteTrainingJob", name)
    with pytest.raises(ServiceError, match="ResourceNotFound"):
        sagemaker.call("DeleteTrainingJob", name)
    assert run(sagemaker, request("gone"))["TrainingJobStatus"] == "Completed"


def test_fifty_at_once(sagemaker: SageMaker) -> None:
    names = [f"crowd-{number}" for number in range(50)]
    for number, name in enumerate(names):
        asked = request(name)
        asked["AlgorithmSpecification"] |= {
            "ContainerEntrypoint": ["sh", "-c"],
            "ContainerArguments": [f"sleep 1; exit {number % 2}"],
        }
        sagemaker.call("CreateTrainingJob", asked)
    for number, name in enumerate(names):
        done = wait_while(
            lambda name=name: sagemaker.call("DescribeTrainingJob", {"TrainingJobName": name}),  # type: ignore[misc]
            "TrainingJobStatus",
            "InProgress",
        )
        assert done["TrainingJobStatus"] == ("Failed" if number % 2 else "Completed"), name
    listed = sagemaker.call("ListTrainingJobs", {"StatusEquals": "Failed", "MaxResults": 100})
    assert len(listed["TrainingJobSummaries"]) == 25
