"""Training jobs: channels in, one ``model.tar.gz`` out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from local_aws.sagemaker.core import archives, job_contract
from local_aws.sagemaker.core.errors import not_emulated, validation_error
from local_aws.sagemaker.core.storage import NothingFoundError, Storage, StorageError, split_uri
from local_aws.sagemaker.core.validation import refuse_others
from local_aws.sagemaker.jobs.jobs import JobFailure, Jobs, Run, share

_REQUEST = frozenset(
    {"TrainingJobName", "HyperParameters", "AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig"}
    | {"ResourceConfig", "VpcConfig", "StoppingCondition", "Tags", "Environment", "RetryStrategy", "ExperimentConfig"}
    | {"EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"}
)
_ALGORITHM = frozenset(
    {"TrainingImage", "TrainingInputMode", "ContainerEntrypoint", "ContainerArguments"}
    | {"EnableSageMakerMetricsTimeSeries", "MetricDefinitions"}
)
_CHANNEL = frozenset(["ChannelName", "DataSource", "ContentType", "CompressionType", "RecordWrapperType", "InputMode"])
_SOURCE = frozenset(["S3DataType", "S3Uri", "S3DataDistributionType"])
_RESOURCES = frozenset({"InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId"})
_LIST = frozenset(
    {"NextToken", "MaxResults", "CreationTimeAfter", "CreationTimeBefore", "LastModifiedTimeAfter"}
    | {"LastModifiedTimeBefore", "NameContains", "StatusEquals", "SortBy", "SortOrder"}
)
_TOLD = {  # StatusMessage of each SecondaryStatus, as the service words them
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


class TrainingJobs(Jobs):
    """CreateTrainingJob and related operations."""

    kind = "TrainingJob"
    arn_kind = "training-job"
    words = "training job"

    def check(self, request: dict[str, Any]) -> None:
        """Refuse what is not emulated, and, like the service, a channel without objects."""
        operation = "CreateTrainingJob"
        refuse_others(operation, request, _REQUEST)
        for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
            if name not in request:
                raise validation_error(f"{name} is required for a training job.")
        refuse_others(operation, request["AlgorithmSpecification"], _ALGORITHM, "AlgorithmSpecification.")
        if "TrainingImage" not in request["AlgorithmSpecification"]:
            raise not_emulated(operation, "an AlgorithmSpecification without TrainingImage")
        if request["AlgorithmSpecification"].get("TrainingInputMode", "File") != "File":
            raise not_emulated(operation, f"input mode {request['AlgorithmSpecification']['TrainingInputMode']}")
        refuse_others(operation, request["ResourceConfig"], _RESOURCES, "ResourceConfig.")
        for name in ("InstanceType", "InstanceCount"):
            if not request["ResourceConfig"].get(name):
                raise validation_error(f"ResourceConfig.{name} is required for a training job.")
        if request["OutputDataConfig"].get("CompressionType", "GZIP") != "GZIP":
            raise not_emulated(operation, "OutputDataConfig.CompressionType NONE")
        channels = request.get("InputDataConfig", [])
        if len({channel["ChannelName"] for channel in channels}) != len(channels):
            raise validation_error("Channel names must be unique within InputDataConfig.")
        for channel in channels:
            _check_channel(operation, channel)
        self.context.image(request["AlgorithmSpecification"]["TrainingImage"])
        self._check_objects(channels, request["RoleArn"])

    def _check_objects(self, channels: list[dict[str, Any]], role: str) -> None:
        # The service refuses at creation, in these words: aws/amazon-sagemaker-examples issue 2489
        storage = self.context.storage(role, "SageMaker")
        for channel in channels:
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            try:
                found, cause = storage.has_objects(uri), ""
            except StorageError as error:
                found, cause = False, f" Error message from S3: {error}"
            if not found:
                bucket, _ = split_uri(uri)
                raise validation_error(
                    f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the '
                    f"bucket exists in the selected region ({self.context.region}), that objects exist under that S3 "
                    f'prefix, and that the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".{cause}'
                )

    def begin(self, job: dict[str, Any]) -> None:
        """A new job is Starting."""
        job.setdefault("EnableNetworkIsolation", False)
        job.setdefault("EnableInterContainerTrafficEncryption", False)
        job.setdefault("EnableManagedSpotTraining", False)
        job["SecondaryStatusTransitions"] = []
        self._enter("Starting")(job)

    def prepare(self, run: Run, job: dict[str, Any], storage: Storage) -> None:
        """Write the configuration, then download every channel to ``input/data/<channel>``."""
        for host in run.hosts:
            job_contract.write_training_configuration(host.ml, job, host.name)
        self.change(run.name, self._enter("Downloading"))
        for channel in job.get("InputDataConfig", []):
            source = channel["DataSource"]["S3DataSource"]
            try:
                objects = storage.objects(source["S3Uri"], source["S3DataType"])
                for host, mine in share(run.hosts, objects, source.get("S3DataDistributionType")):
                    folder = host.ml / "input" / "data" / channel["ChannelName"]
                    folder.mkdir(parents=True, exist_ok=True)
                    storage.download(mine, folder)
            except NothingFoundError as error:
                raise JobFailure(f"ClientError: Data download failed:NoSuchKey: {error}") from error
            except StorageError as error:
                raise JobFailure(f"ClientError: Data download failed:{error}") from error
        now = self.context.now()
        self.change(run.name, lambda found: found.update({"TrainingStartTime": now}))
        self.change(run.name, self._enter("Training"))

    def cluster(self, job: dict[str, Any]) -> tuple[str, int]:
        """Read ResourceConfig."""
        return job["ResourceConfig"]["InstanceType"], job["ResourceConfig"]["InstanceCount"]

    def command(self, job: dict[str, Any]) -> tuple[str, list[str], dict[str, str]]:
        """``train``, unless the request says what to run."""
        algorithm = job["AlgorithmSpecification"]
        words = [*algorithm.get("ContainerEntrypoint", ["train"]), *algorithm.get("ContainerArguments", [])]
        variables = {"TRAINING_JOB_NAME": job["TrainingJobName"], "TRAINING_JOB_ARN": job["TrainingJobArn"]}
        return algorithm["TrainingImage"], words, variables

    def finish(self, run: Run, job: dict[str, Any], exit_code: int) -> None:
        """Upload the model, or say why there is none."""
        if exit_code != 0:
            raise JobFailure(job_contract.training_failure_reason(run.told_by.ml, exit_code))
        self.change(run.name, self._enter("Uploading"))
        self._upload(run, job)

    def salvage(self, run: Run, job: dict[str, Any]) -> None:
        """A stopped job's model is kept: "the results of training are not lost" (API reference, StoppingCondition)."""
        self._upload(run, job)

    def _upload(self, run: Run, job: dict[str, Any]) -> None:
        storage = self.context.storage(job["RoleArn"], "SageMaker")
        prefix = f"{job['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{run.name}/output"
        try:
            for inside, archive in (("model", "model.tar.gz"), ("output/data", "output.tar.gz")):
                folders = [host.ml / inside for host in run.hosts]
                _upload_archive(storage, folders, run.folder / archive, f"{prefix}/{archive}")
        except StorageError as error:
            raise JobFailure(f"ClientError: Artifact upload failed:{error}") from error
        artifacts = {"S3ModelArtifacts": f"{prefix}/model.tar.gz"}
        self.change(run.name, lambda found: found.update({"ModelArtifacts": artifacts}))

    def _enter(self, secondary: str, message: str | None = None) -> Callable[[dict[str, Any]], None]:
        """The edit that moves from one secondary status to the next."""

        def apply(job: dict[str, Any]) -> None:
            now = self.context.now()
            transitions = job["SecondaryStatusTransitions"]
            if transitions:
                transitions[-1]["EndTime"] = now
            transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message or _TOLD[secondary]})
            job["SecondaryStatus"] = secondary

        return apply

    def stopping(self) -> Callable[[dict[str, Any]], None]:
        """Set both statuses."""

        def apply(job: dict[str, Any]) -> None:
            job["TrainingJobStatus"] = "Stopping"
            self._enter("Stopping")(job)

        return apply

    def closing(self, run: Run | None, status: str, reason: str | None) -> Callable[[dict[str, Any]], None]:
        """Stopped by the limit is status Stopped, secondary MaxRuntimeExceeded (API reference, SecondaryStatus)."""
        timed_out = status == "Stopped" and run is not None and run.end == "timed out"
        output = run.folder / "log" if run else None

        def apply(job: dict[str, Any]) -> None:
            now = self.context.now()
            job["TrainingJobStatus"] = status
            self._enter("MaxRuntimeExceeded" if timed_out else status, reason)(job)
            job["SecondaryStatusTransitions"][-1]["EndTime"] = now
            job["TrainingEndTime"] = now
            if "TrainingStartTime" in job:
                seconds = max(1, math.ceil((now - job["TrainingStartTime"]).total_seconds()))
                job |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
            metrics = _metrics(job["AlgorithmSpecification"].get("MetricDefinitions", []), output, now)
            if metrics:
                job["FinalMetricDataList"] = metrics
            if reason:
                job["FailureReason"] = reason

        return apply

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """The operations of every kind of job, and UpdateTrainingJob, which refuses everything."""
        return super().operations() | {"UpdateTrainingJob": self.update}

    def list_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        """Jobs by name, status and time, in pages. There are no warm pools and training plans."""
        refuse_others("ListTrainingJobs", request, _LIST)
        return super().list_jobs(request)

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Refuse, by name, everything that an update can change: profiler, warm pool, remote debugging."""
        refuse_others("UpdateTrainingJob", request, frozenset({"TrainingJobName"}))
        return {"TrainingJobArn": self._job(request["TrainingJobName"])["TrainingJobArn"]}

    def summary(self, job: dict[str, Any]) -> dict[str, Any]:
        """A line of ListTrainingJobs."""
        shown = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime")
        return {key: job[key] for key in (*shown, "TrainingJobStatus", "SecondaryStatus") if key in job}


def _metrics(definitions: list[dict[str, str]], log: Path | None, now: datetime) -> list[dict[str, Any]]:
    """The last value that each metric's expression finds in the log."""
    if not definitions or log is None or not log.exists():
        return []
    text = log.read_text(errors="replace")
    last = {each["Name"]: re.findall(each["Regex"], text)[-1:] for each in definitions}
    return [
        {"MetricName": name, "Value": float(values[0]), "Timestamp": now} for name, values in last.items() if values
    ]


def _check_channel(operation: str, channel: dict[str, Any]) -> None:
    refuse_others(operation, channel, _CHANNEL, "InputDataConfig.")
    source = channel["DataSource"]
    if set(source) != {"S3DataSource"}:
        raise not_emulated(operation, f"data source {', '.join(sorted(source))}")
    refuse_others(operation, source["S3DataSource"], _SOURCE, "S3DataSource.")
    if source["S3DataSource"]["S3DataType"] not in {"S3Prefix", "ManifestFile"}:
        raise not_emulated(operation, f"S3DataType {source['S3DataSource']['S3DataType']}")
    for key, only in (("CompressionType", "None"), ("RecordWrapperType", "None"), ("InputMode", "File")):
        if channel.get(key, only) != only:
            raise not_emulated(operation, f"{key} {channel[key]}")


def _upload_archive(storage: Storage, folders: list[Path], archive: Path, uri: str) -> None:
    """Every instance's folder in one archive.

    Empty folders give no archive: the service uploads nothing then (aws/sagemaker-python-sdk issue 3455).
    """
    if any(any(folder.iterdir()) for folder in folders):
        archives.pack(folders, archive)
        storage.upload_file(archive, uri)
        archive.unlink()
