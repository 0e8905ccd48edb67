"""SageMaker's integrations in state machines: .sync, errors' names, members' names. Jobs are real processes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.tests.server.machines import Machines, eventually

_numbers = itertools.count()


@pytest.fixture
def job_name() -> str:
    return f"job-{next(_numbers)}"


def processing(name: str, role_arn: str, *, code: int = 0, seconds: float = 0) -> dict[str, Any]:
    return {
        "ProcessingJobName": name,
        "RoleArn": role_arn,
        "AppSpecification": {
            "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/test-image:1",
            "ContainerEntrypoint": ["python3", "/opt/program/job.py", str(code), str(seconds)],
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
        },
    }


def task(action: str, arguments: dict[str, Any], **state: Any) -> dict[str, Any]:
    resource = f"arn:aws:states:::{action}"
    end = {} if "Next" in state else {"End": True}
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, "TimeoutSeconds": 30, **end, **state}


def test_sync_gives_the_description_with_the_apis_names(machines: Machines, role_arn: str, job_name: str) -> None:
    states = {"Run": task("sagemaker:createProcessingJob.sync", processing(job_name, role_arn))}
    output = machines.output(states)
    assert output["ProcessingJobStatus"] == "Completed"
    assert output["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 10


def test_a_failed_job_is_task_failed_with_its_description(machines: Machines, role_arn: str, job_name: str) -> None:
    states = {"Run": task("sagemaker:createProcessingJob.sync", processing(job_name, role_arn, code=3))}
    done = machines.run(states)
    assert done["error"] == "States.TaskFailed"
    assert json.loads(done["cause"])["ProcessingJobStatus"] == "Failed"


def test_a_taken_name_has_the_services_error(machines: Machines, role_arn: str, job_name: str) -> None:
    create = processing(job_name, role_arn)
    caught = {"Type": "Succeed", "Output": "{% $states.input.Error %}"}
    for action in ("sagemaker:createProcessingJob.sync", "aws-sdk:sagemaker:createProcessingJob"):
        catch = [{"ErrorEquals": ["SageMaker.ResourceInUseException"], "Next": "Caught"}]
        states = {
            "First": task("sagemaker:createProcessingJob.sync", create, Next="Again", Catch=catch),
            "Again": task(action, create, Catch=catch),
            "Caught": caught,
        }
        assert machines.output(states) == "SageMaker.ResourceInUseException"


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("sagemaker:createModel", "SageMaker.AmazonSageMakerException"),
        ("aws-sdk:sagemaker:createModel", "SageMaker.SageMakerException"),
    ],
)
def test_an_unmodelled_error_has_the_integrations_own_name(
    machines: Machines, role_arn: str, action: str, error: str
) -> None:
    invalid = {"ModelName": "not_a_name", "ExecutionRoleArn": role_arn}
    assert machines.run({"Make": task(action, invalid)})["error"] == error


def test_an_unknown_parameter_is_refused_by_name(machines: Machines, role_arn: str, job_name: str) -> None:
    create = {**processing(job_name, role_arn), "Colour": "blue"}
    done = machines.run({"Run": task("sagemaker:createProcessingJob.sync", create)})
    assert done["error"] == "States.Runtime"
    assert "Colour" in done["cause"]


def test_aws_sdk_describes(machines: Machines, role_arn: str, job_name: str) -> None:
    states = {
        "Run": task("sagemaker:createProcessingJob.sync", processing(job_name, role_arn), Next="Look"),
        "Look": task("aws-sdk:sagemaker:describeProcessingJob", {"ProcessingJobName": job_name}),
    }
    output = machines.output(states)
    assert output["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 10
    assert output["CreationTime"].endswith("Z")


def test_a_task_that_times_out_stops_its_job(
    machines: Machines, client: Callable[..., Any], role_arn: str, job_name: str
) -> None:
    slow = task("sagemaker:createProcessingJob.sync", processing(job_name, role_arn, seconds=60), TimeoutSeconds=2)
    assert machines.run({"Run": slow})["error"] == "States.Timeout"
    _wait_until_stopped(client("sagemaker"), job_name)


def test_stopping_the_execution_stops_its_job(
    machines: Machines, client: Callable[..., Any], role_arn: str, job_name: str
) -> None:
    sagemaker = client("sagemaker")
    slow = task("sagemaker:createProcessingJob.sync", processing(job_name, role_arn, seconds=60))
    arn = machines.start({"Run": slow})
    eventually(lambda: sagemaker.list_processing_jobs(NameContains=job_name)["ProcessingJobSummaries"])
    machines.client.stop_execution(executionArn=arn)
    _wait_until_stopped(sagemaker, job_name)


def _wait_until_stopped(sagemaker: Any, name: str) -> None:
    sagemaker.get_waiter("processing_job_completed_or_stopped").wait(
        ProcessingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    assert sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Stopped"
