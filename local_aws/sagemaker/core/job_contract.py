"""The files and variables that SageMaker gives a job, below its ``/opt/ml``.

Sources: SageMaker developer guide, "How Amazon SageMaker AI Provides Training Information" and "How Amazon SageMaker
Processing Configures Input and Output for Your Processing Container".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.images import Image

ML = "/opt/ml"
_MESSAGE_BYTES = 1024
_FAILURE_CHARACTERS = 1024


def environment(context: Context, image: Image, ml: Path, credentials: dict[str, str]) -> dict[str, str]:
    """The variables of every container. SageMaker itself sets no ``SM_*`` variables."""
    return {
        "PATH": ":".join(image.search_path()),
        "AWS_REGION": context.region,
        "AWS_DEFAULT_REGION": context.region,
        "AWS_ENDPOINT_URL": context.endpoint_url,
        "SAGEMAKER_BASE_DIR": str(ml),
        **credentials,
    }


def on_disk(ml: Path, inside: str) -> Path:
    """Where a path of the container, below ``/opt/ml``, is on this machine."""
    return ml / inside.removeprefix(ML).strip("/")


def host_names(count: int) -> list[str]:
    """The instances of a job: ``algo-1``, ``algo-2``, ..."""
    return [f"algo-{number}" for number in range(1, count + 1)]


def write_training_configuration(ml: Path, job: dict[str, Any], host: str) -> None:
    """``input/config/{hyperparameters,inputdataconfig,resourceconfig}.json`` and the folders a container finds."""
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": "File",
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
        }
        for channel in job.get("InputDataConfig", [])
    }
    config = ml / "input" / "config"
    for folder in (config, ml / "input" / "data", ml / "model", ml / "output" / "data"):
        folder.mkdir(parents=True, exist_ok=True)
    _write(config / "hyperparameters.json", job.get("HyperParameters", {}))
    _write(config / "inputdataconfig.json", channels)
    _write(config / "resourceconfig.json", _resources(job["ResourceConfig"], host))


def write_processing_configuration(ml: Path, job: dict[str, Any], host: str) -> None:
    """``config/{processingjobconfig,resourceconfig}.json`` (not ``input/config``) and the outputs' folders.

    An output's folder "will be created by the platform and exist when your container's entrypoint is invoked"
    (API reference, ProcessingS3Output).
    """
    config = ml / "config"
    for folder in (config, ml / "output"):
        folder.mkdir(parents=True, exist_ok=True)
    for output in job.get("ProcessingOutputConfig", {}).get("Outputs", []):
        on_disk(ml, output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
    shown = ("ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "RoleArn", "StoppingCondition")
    _write(
        config / "processingjobconfig.json",
        {
            "ProcessingJobArn": job["ProcessingJobArn"],
            "ProcessingJobName": job["ProcessingJobName"],
            "AppSpecification": job["AppSpecification"],
            "Environment": job.get("Environment", {}),
            **{name: job[name] for name in shown if name in job},
        },
    )
    _write(config / "resourceconfig.json", _resources(job["ProcessingResources"]["ClusterConfig"], host))


def _resources(cluster: dict[str, Any], host: str) -> dict[str, Any]:
    hosts, kind, group = host_names(cluster["InstanceCount"]), cluster["InstanceType"], "homogeneousCluster"
    return {
        "current_host": host,
        "current_instance_type": kind,
        "current_group_name": group,
        "hosts": hosts,
        "instance_groups": [{"instance_group_name": group, "instance_type": kind, "hosts": hosts}],
        "network_interface_name": "lo",
    }


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content))


def exit_message(ml: Path) -> str | None:
    """The first KB of ``output/message``, or None: what DescribeProcessingJob shows as ExitMessage."""
    try:
        with (ml / "output" / "message").open("rb") as file:
            return file.read(_MESSAGE_BYTES).decode(errors="ignore") or None
    except FileNotFoundError:
        return None


def training_failure_reason(ml: Path, exit_code: int) -> str:
    """``AlgorithmError: <output/failure>, exit code: N`` in 1,024 characters, which always include the code.

    Without the file SageMaker says "AlgorithmError: , exit code: 1"
    (aws-samples/amazon-sagemaker-ml-pipeline-deploy-with-terraform issue 12).
    """
    start, end = "AlgorithmError: ", f", exit code: {exit_code}"
    try:
        text = (ml / "output" / "failure").read_text(errors="replace").strip()
    except FileNotFoundError:
        text = ""
    return start + text[: _FAILURE_CHARACTERS - len(start) - len(end)] + end
